#!/bin/sh
# Makes the clips of "Clips made to find faults" in docs/scores.md:  fault_clips.sh OUT [PHOTOS]
# PHOTOS, for those from 1501 on, holds pictures of others' packages:
#   pip download --no-deps scikit-image==0.26.0 scikit-learn==1.9.1 -d wheels
#   for w in wheels/*.whl; do unzip -j "$w" '*/data/*.png' '*/images/*.jpg' -d PHOTOS; done
# and Wood.jpg and Dune.jpg of Debian's mate-backgrounds.
# Then, for each: rna analyze OUT/702/frames --roi OUT/702/roi.json -o shot.rna; rna render OUT/702/frames --atlas shot.rna
# --paint OUT/702/edit/picture.png -o edited/%05d.png; rna export shot.rna --mattes mattes; truth/score.py OUT/702 ...
set -eu
out=${1:?a folder to write to}
shared=$(dirname "$0")/../../../shared
gt=$shared/gt/matting
frame() { ls "$shared/clips/$1/frames/"* | sed -n "$(($2 + 1))p"; }
make() { # SEED PHOTO OPTIONS
    seed=$1 photo=$2
    shift 2
    [ -e "$out/$seed/truth.npz" ] || python3 "$shared/truth/make_truth.py" --photo "$photo" --out "$out/$seed" --seed "$seed" "$@"
}
matte() { echo "--occluder matte --cut $gt/image/$1.png $gt/alpha/$1.png"; }
swan="--occluder cutout --cut $shared/clips/blackswan/frames $shared/clips/blackswan/occluder_masks"

make 701 "$gt/image/GT07.png" --occluder blobs --cloth 1
make 702 "$(frame building 50)" $(matte GT03) --camera 1.5 --shutter 4
make 703 "$(frame lucia 66)" $swan --light .2
make 704 "$(frame motorbike 2)" --occluder chain --cloth .6
make 705 "$gt/image/GT09.png" $(matte GT12) --shutter 4 --camera 1.3
make 706 "$(frame music-band 1)" $(matte GT01) --cloth 1.2
make 707 "$gt/image/GT13.png" --occluder blobs --camera 2 --shutter 4
make 708 "$shared/gt/RubberWhale/frame10.png" --occluder chain --light .2
make 709 "$(frame blocks 10)" $swan --cloth .8 --noise 4
make 710 "$(frame blackswan 40)" $(matte GT10)
make 801 "$(frame building 10)" $swan --light .12
make 802 "$(frame building 40)" --occluder blobs --light .2
make 901 "$gt/image/GT01.png" $swan --camera 1.6 --shutter 4
make 902 "$gt/image/GT02.png" $(matte GT13) --cloth .8
make 903 "$gt/image/GT04.png" --occluder blobs --camera 1.5
make 904 "$gt/image/GT10.png" --occluder chain --camera 1.3 --shutter 4 --light .2
make 905 "$(frame music-band 40)" $swan --cloth 1 --camera 1.3
make 906 "$(frame motorbike 20)" $(matte GT06) --light .2 --camera 1.4
make 907 "$(frame blackswan 20)" --occluder blobs --camera 1.8 --shutter 4
make 908 "$gt/image/GT12.png" $(matte GT09) --camera 1.5 --cloth .6
make 1001 "$gt/image/GT03.png" --occluder chain --cloth 1 --camera 1.2
make 1002 "$gt/image/GT05.png" $(matte GT11) --light .2
make 1003 "$gt/image/GT06.png" --occluder blobs --shutter 4 --camera 1.6
make 1004 "$gt/image/GT08.png" $swan --cloth .8
make 1005 "$gt/image/GT11.png" --occluder chain --shutter 4 --camera 2
make 1006 "$(frame blocks 60)" $(matte GT05) --cloth 1
make 1007 "$(frame lucia 20)" --occluder blobs --light .25 --camera 1.3
make 1008 "$(frame music-band 20)" $swan --shutter 4
make 1009 "$(frame building 30)" --occluder chain --cloth 1.2 --noise 3
make 1010 "$gt/image/GT02.png" $(matte GT06) --camera 1.8 --shutter 4
make 1011 "$(frame motorbike 35)" --occluder blobs --cloth .5 --polygons \
    "[[[60,40],[260,60],[240,210],[80,190]],[[420,150],[600,160],[610,340],[400,330]]]"
make 1012 "$gt/image/GT12.png" $(matte GT08) --light .2 --polygons \
    "[[[180,60],[460,80],[430,170],[300,180],[310,300],[190,290]]]"
make 1301 "$gt/image/GT10.png" $(matte GT13) --cloth .8
make 1302 "$gt/image/GT09.png" $(matte GT13) --cloth .5 --camera 1.3
make 1401 "$(frame lucia 40)" $(matte GT04) --cloth .8 --light .15
make 1402 "$gt/image/GT04.png" $(matte GT07) --camera 1.4 --shutter 4
make 1403 "$(frame motorbike 10)" $swan --cloth 1 --shutter 4
make 1404 "$gt/image/GT08.png" $(matte GT02) --cloth .6 --light .2
make 1405 "$(frame blackswan 0)" --occluder chain --cloth .8 --camera 1.3
make 1406 "$(frame music-band 60)" $(matte GT13) --camera 1.2 --shutter 4
make 1407 "$gt/image/GT05.png" --occluder blobs --cloth 1.2 --noise 3
make 1408 "$gt/image/GT11.png" $(matte GT13) --cloth .4 --light .15

[ $# -gt 1 ] || exit 0
make 1501 "$2/china.jpg" $(matte GT05) --camera 1.2
make 1502 "$2/brick.png" $swan --cloth .8
make 1503 "$2/coffee.png" --occluder chain --cloth 1 --light .15
make 1504 "$2/motorcycle_left.png" $(matte GT04) --shutter 4 --camera 1.4
make 1505 "$2/gravel.png" --occluder blobs --cloth .7 --camera 1.3
make 1506 "$2/astronaut.png" $(matte GT07) --cloth .6
make 1507 "$2/page.png" --occluder chain --light .2
make 1508 "$2/Wood.jpg" $(matte GT10) --cloth .5 --light .2
make 1509 "$2/chelsea.png" $swan --shutter 4
make 1510 "$2/Dune.jpg" --occluder blobs --cloth .8
make 1511 "$2/grass.png" $(matte GT01) --camera 1.5
make 1512 "$2/flower.jpg" $swan --cloth 1 --light .2
make 1601 "$2/coffee.png" --occluder blobs --noise 5 --format png
