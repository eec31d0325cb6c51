//! The least-cost cut of a picture into two parts (Boykov and Kolmogorov 2004, "An experimental comparison of
//! min-cut/max-flow algorithms"), on a 4-connected grid.
//!
//! Two search trees grow from the pixels that are pulled to either part; where they meet, flow is pushed until an edge
//! of the path is full, and pixels cut off by that look for another parent. Whole numbers throughout, so that it ends
//! and gives the same answer everywhere.

use std::collections::VecDeque;

/// Units of a cost of 1.
const UNIT: f32 = 1024.0;

/// Direction from a pixel to its parent in a search tree: 0…3 a neighbour, or one of these.
const TERMINAL: u8 = 4;
const ORPHAN: u8 = 5;

/// Which search tree a pixel is in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Tree {
    Free,
    Source,
    Sink,
}

/// A grid of pixels with a pull to either part and a price on parting neighbours.
pub struct GridCut {
    width: usize,
    height: usize,
    /// Row length with a border of one, so that no neighbour needs a bounds check.
    stride: usize,
    /// What is left of the pull: positive to the source's part, negative to the sink's.
    pull: Vec<i32>,
    /// What is left of the capacity to the neighbour in direction d: right, left, down, up.
    capacity: [Vec<i32>; 4],
    tree: Vec<Tree>,
    parent: Vec<u8>,
    /// When the distance was last known to be right.
    stamp: Vec<u32>,
    distance: Vec<u32>,
    queued: Vec<bool>,
    active: VecDeque<usize>,
    orphans: VecDeque<usize>,
    time: u32,
}

impl GridCut {
    /// All pulls and prices 0.
    pub fn new(width: usize, height: usize) -> Self {
        let stride = width + 2;
        let n = stride * (height + 2);
        Self {
            width,
            height,
            stride,
            pull: vec![0; n],
            capacity: std::array::from_fn(|_| vec![0; n]),
            tree: vec![Tree::Free; n],
            parent: vec![ORPHAN; n],
            stamp: vec![0; n],
            distance: vec![0; n],
            queued: vec![false; n],
            active: VecDeque::new(),
            orphans: VecDeque::new(),
            time: 0,
        }
    }

    #[inline]
    fn index(&self, x: usize, y: usize) -> usize {
        (y + 1) * self.stride + x + 1
    }

    /// The neighbour of `p` in direction `d`; `d ^ 1` leads back.
    #[inline]
    fn neighbour(&self, p: usize, d: usize) -> usize {
        match d {
            0 => p + 1,
            1 => p - 1,
            2 => p + self.stride,
            _ => p - self.stride,
        }
    }

    /// Cost of putting a pixel into the sink's part rather than the source's; negative for the other way round.
    pub fn set_pull(&mut self, x: usize, y: usize, cost: f32) {
        let p = self.index(x, y);
        self.pull[p] = (cost * UNIT) as i32;
    }

    /// Price of parting a pixel from its right (`down` false) or lower neighbour, which must exist.
    pub fn set_price(&mut self, x: usize, y: usize, down: bool, price: f32) {
        let (p, d) = (self.index(x, y), if down { 2 } else { 0 });
        let q = self.neighbour(p, d);
        let units = (price * UNIT).max(0.0) as i32;
        self.capacity[d][p] = units;
        self.capacity[d + 1][q] = units;
    }

    /// Finds the cheapest cut: true where a pixel is in the source's part, row by row.
    pub fn solve(mut self) -> Vec<bool> {
        for y in 0..self.height {
            for x in 0..self.width {
                let p = self.index(x, y);
                if self.pull[p] != 0 {
                    self.tree[p] = if self.pull[p] > 0 { Tree::Source } else { Tree::Sink };
                    self.parent[p] = TERMINAL;
                    self.distance[p] = 1;
                    self.activate(p);
                }
            }
        }
        while let Some(p) = self.active.pop_front() {
            self.queued[p] = false;
            while self.tree[p] != Tree::Free {
                let Some((from, d)) = self.grow(p) else { break };
                self.time += 1;
                self.augment(from, d);
                while let Some(orphan) = self.orphans.pop_front() {
                    self.adopt(orphan);
                }
            }
        }
        let rows = (0..self.height).flat_map(|y| (0..self.width).map(move |x| (x, y)));
        rows.map(|(x, y)| self.tree[self.index(x, y)] == Tree::Source).collect()
    }

    fn activate(&mut self, p: usize) {
        if !self.queued[p] {
            self.queued[p] = true;
            self.active.push_back(p);
        }
    }

    /// What can still flow towards the sink between a tree's pixel `p` and its neighbour: outward for the source's
    /// tree, inward for the sink's.
    #[inline]
    fn residual(&self, p: usize, d: usize) -> i32 {
        if self.tree[p] == Tree::Source {
            self.capacity[d][p]
        } else {
            self.capacity[d ^ 1][self.neighbour(p, d)]
        }
    }

    /// Takes free neighbours of `p` into its tree; stops at an edge to the other tree and returns it, from the
    /// source's side.
    fn grow(&mut self, p: usize) -> Option<(usize, usize)> {
        for d in 0..4 {
            if self.residual(p, d) <= 0 {
                continue;
            }
            let q = self.neighbour(p, d);
            if self.tree[q] == Tree::Free {
                self.tree[q] = self.tree[p];
                self.hang(q, d ^ 1, p);
                self.activate(q);
            } else if self.tree[q] != self.tree[p] {
                return Some(if self.tree[p] == Tree::Source { (p, d) } else { (q, d ^ 1) });
            } else if self.stamp[q] <= self.stamp[p] && self.distance[q] > self.distance[p] + 1 {
                self.hang(q, d ^ 1, p);
            }
        }
        None
    }

    /// Makes `p` the parent of `q`, in direction `d` from `q`.
    fn hang(&mut self, q: usize, d: usize, p: usize) {
        self.parent[q] = d as u8;
        self.stamp[q] = self.stamp[p];
        self.distance[q] = self.distance[p] + 1;
    }

    /// Pushes as much as fits along the path through the edge from `from` in direction `d`.
    fn augment(&mut self, from: usize, d: usize) {
        let to = self.neighbour(from, d);
        let mut room = self.capacity[d][from];
        for start in [from, to] {
            let mut p = start;
            while self.parent[p] != TERMINAL {
                let up = self.parent[p] as usize;
                let q = self.neighbour(p, up);
                // Towards the sink: from parent to child in the source's tree, from child to parent in the sink's.
                room = room.min(self.residual(q, up ^ 1));
                p = q;
            }
            room = room.min(self.pull[p].abs());
        }
        self.capacity[d][from] -= room;
        self.capacity[d ^ 1][to] += room;
        for start in [from, to] {
            let mut p = start;
            while self.parent[p] != TERMINAL {
                let up = self.parent[p] as usize;
                let q = self.neighbour(p, up);
                let (a, way) = if self.tree[p] == Tree::Source { (q, up ^ 1) } else { (p, up) };
                let b = self.neighbour(a, way);
                self.capacity[way][a] -= room;
                self.capacity[way ^ 1][b] += room;
                if self.capacity[way][a] == 0 {
                    self.orphan(p);
                }
                p = q;
            }
            self.pull[p] -= room * self.pull[p].signum();
            if self.pull[p] == 0 {
                self.orphan(p);
            }
        }
    }

    fn orphan(&mut self, p: usize) {
        self.parent[p] = ORPHAN;
        self.orphans.push_back(p);
    }

    /// Finds another parent for a pixel cut off from its terminal, or sets it and what hangs on it free.
    fn adopt(&mut self, p: usize) {
        let mut best: Option<(u32, usize)> = None;
        for d in 0..4 {
            let q = self.neighbour(p, d);
            if self.tree[q] == self.tree[p]
                && self.residual(q, d ^ 1) > 0
                && let Some(distance) = self.rooted(q)
                && best.is_none_or(|b| distance < b.0)
            {
                best = Some((distance, d));
            }
        }
        if let Some((distance, d)) = best {
            self.parent[p] = d as u8;
            self.stamp[p] = self.time;
            self.distance[p] = distance + 1;
            return;
        }
        for d in 0..4 {
            let q = self.neighbour(p, d);
            if self.tree[q] != self.tree[p] {
                continue;
            }
            if self.residual(q, d ^ 1) > 0 {
                self.activate(q);
            }
            if self.parent[q] as usize == d ^ 1 {
                self.orphan(q);
            }
        }
        self.tree[p] = Tree::Free;
    }

    /// Distance of a pixel to its terminal, if its line of parents leads there; remembered along the way.
    fn rooted(&mut self, q: usize) -> Option<u32> {
        let (mut p, mut steps) = (q, 0);
        let base = loop {
            if self.stamp[p] == self.time && self.parent[p] != ORPHAN {
                break self.distance[p];
            }
            match self.parent[p] {
                TERMINAL => {
                    self.stamp[p] = self.time;
                    self.distance[p] = 1;
                    break 1;
                }
                ORPHAN => return None,
                d => p = self.neighbour(p, d as usize),
            }
            steps += 1;
        };
        let total = base + steps;
        let (mut p, mut distance) = (q, total);
        while self.stamp[p] != self.time {
            self.stamp[p] = self.time;
            self.distance[p] = distance;
            distance -= 1;
            p = self.neighbour(p, self.parent[p] as usize);
        }
        Some(total)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Problem {
        w: usize,
        h: usize,
        pull: Vec<i32>,
        right: Vec<i32>,
        down: Vec<i32>,
    }

    fn problem(w: usize, h: usize, seed: u64) -> Problem {
        let mut s = seed;
        let mut next = move |n: i32| {
            s = s.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            ((s >> 33) % n as u64) as i32
        };
        Problem {
            w,
            h,
            pull: (0..w * h).map(|_| next(21) - 10).collect(),
            right: (0..w * h).map(|_| next(8)).collect(),
            down: (0..w * h).map(|_| next(8)).collect(),
        }
    }

    fn cost(p: &Problem, part: &[bool]) -> i32 {
        let mut sum = 0;
        for y in 0..p.h {
            for x in 0..p.w {
                let i = y * p.w + x;
                sum += if part[i] { (-p.pull[i]).max(0) } else { p.pull[i].max(0) };
                if x + 1 < p.w && part[i] != part[i + 1] {
                    sum += p.right[i];
                }
                if y + 1 < p.h && part[i] != part[i + p.w] {
                    sum += p.down[i];
                }
            }
        }
        sum
    }

    fn solve(p: &Problem) -> Vec<bool> {
        let mut g = GridCut::new(p.w, p.h);
        for y in 0..p.h {
            for x in 0..p.w {
                let i = y * p.w + x;
                g.set_pull(x, y, p.pull[i] as f32);
                if x + 1 < p.w {
                    g.set_price(x, y, false, p.right[i] as f32);
                }
                if y + 1 < p.h {
                    g.set_price(x, y, true, p.down[i] as f32);
                }
            }
        }
        g.solve()
    }

    #[test]
    fn no_cut_is_cheaper() {
        for seed in 0..60 {
            let p = problem(4, 4, seed);
            let best = (0u32..1 << 16)
                .map(|bits| cost(&p, &(0..16).map(|i| bits >> i & 1 == 1).collect::<Vec<_>>()))
                .min()
                .unwrap();
            assert_eq!(cost(&p, &solve(&p)), best, "seed {seed}");
        }
    }

    #[test]
    fn a_large_cut_cannot_be_improved_by_a_row_or_a_block() {
        let p = problem(60, 40, 5);
        let part = solve(&p);
        let base = cost(&p, &part);
        for y in 0..p.h {
            for x in 0..p.w {
                for (bw, bh) in [(1, 1), (3, 1), (1, 3), (4, 4)] {
                    for value in [false, true] {
                        let mut other = part.clone();
                        for v in y..(y + bh).min(p.h) {
                            for u in x..(x + bw).min(p.w) {
                                other[v * p.w + u] = value;
                            }
                        }
                        assert!(cost(&p, &other) >= base);
                    }
                }
            }
        }
    }
}
