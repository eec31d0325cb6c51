/* The functions of the suites that take a variable number of arguments, which stable Rust cannot define. Each takes its
   arguments apart and calls back into Rust, where all decisions are made. */

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

enum { STATUS_MEMORY = 8, MOST_VALUES = 4 };
enum { INT = 1, DOUBLE = 2, TEXT = 3 };
enum { NOW = 0, AT_TIME = 1, DERIVATIVE = 2, INTEGRAL = 3 };

typedef union {
    int integer;
    double real;
    const char *text;
} argument;

int rna_host_shape(void *param);
int rna_host_read(void *param, int how, double from, double to, void *const *out);
int rna_host_write(void *param, int timed, double time, const argument *values);
int rna_host_told(void *handle, const char *kind, const char *id, const char *text, int persistent);

static int read_value(void *param, int how, double from, double to, va_list list) {
    void *out[MOST_VALUES] = {NULL};
    int shape = rna_host_shape(param);
    if (shape < 0)
        return -shape;
    for (int i = 0; i <= shape % 4; i++)
        out[i] = va_arg(list, void *);
    return rna_host_read(param, how, from, to, out);
}

static int write_value(void *param, int timed, double time, va_list list) {
    argument values[MOST_VALUES] = {{0}};
    int shape = rna_host_shape(param);
    if (shape < 0)
        return -shape;
    for (int i = 0; i <= shape % 4; i++) {
        switch (shape / 4) {
        case INT:
            values[i].integer = va_arg(list, int);
            break;
        case DOUBLE:
            values[i].real = va_arg(list, double);
            break;
        case TEXT:
            values[i].text = va_arg(list, const char *);
            break;
        }
    }
    return rna_host_write(param, timed, time, values);
}

int rna_host_get_value(void *param, ...) {
    va_list list;
    va_start(list, param);
    int status = read_value(param, NOW, 0.0, 0.0, list);
    va_end(list);
    return status;
}

int rna_host_get_value_at_time(void *param, double time, ...) {
    va_list list;
    va_start(list, time);
    int status = read_value(param, AT_TIME, time, 0.0, list);
    va_end(list);
    return status;
}

int rna_host_get_derivative(void *param, double time, ...) {
    va_list list;
    va_start(list, time);
    int status = read_value(param, DERIVATIVE, time, 0.0, list);
    va_end(list);
    return status;
}

int rna_host_get_integral(void *param, double from, double to, ...) {
    va_list list;
    va_start(list, to);
    int status = read_value(param, INTEGRAL, from, to, list);
    va_end(list);
    return status;
}

int rna_host_set_value(void *param, ...) {
    va_list list;
    va_start(list, param);
    int status = write_value(param, 0, 0.0, list);
    va_end(list);
    return status;
}

int rna_host_set_value_at_time(void *param, double time, ...) {
    va_list list;
    va_start(list, time);
    int status = write_value(param, 1, time, list);
    va_end(list);
    return status;
}

/* Puts the text together, however long it is. */
static int tell(void *handle, const char *kind, const char *id, const char *format, va_list list, int persistent) {
    if (format == NULL)
        return rna_host_told(handle, kind, id, format, persistent);
    va_list again;
    va_copy(again, list);
    int length = vsnprintf(NULL, 0, format, again);
    va_end(again);
    char *text = length < 0 ? NULL : malloc((size_t)length + 1);
    if (text == NULL)
        return STATUS_MEMORY;
    vsnprintf(text, (size_t)length + 1, format, list);
    int status = rna_host_told(handle, kind, id, text, persistent);
    free(text);
    return status;
}

int rna_host_message(void *handle, const char *kind, const char *id, const char *format, ...) {
    va_list list;
    va_start(list, format);
    int status = tell(handle, kind, id, format, list, 0);
    va_end(list);
    return status;
}

int rna_host_persistent_message(void *handle, const char *kind, const char *id, const char *format, ...) {
    va_list list;
    va_start(list, format);
    int status = tell(handle, kind, id, format, list, 1);
    va_end(list);
    return status;
}
