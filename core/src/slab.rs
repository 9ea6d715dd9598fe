//! Records that come and go without an allocation: fixed chunks, 32-bit places, and queues threaded through the records.

use std::ops::{Index, IndexMut};

/// No place.
pub(crate) const NONE: u32 = u32::MAX;

const CHUNK_BITS: u32 = 10;
const CHUNK: usize = 1 << CHUNK_BITS;

/// A record that can stand in `KINDS` queues at once.
pub(crate) trait Node: Clone + Default {
    /// The places before and after it in its queue of the kind.
    fn links(&self, kind: usize) -> [u32; 2];
    /// The same, to be changed.
    fn links_mut(&mut self, kind: usize) -> &mut [u32; 2];
}

/// A store of records by place. It grows by whole chunks, so nothing ever moves, and gives back places that are free.
#[derive(Clone, Debug)]
pub(crate) struct Slab<T> {
    chunks: Vec<Box<[T; CHUNK]>>,
    free: u32,
    used: u32,
    len: usize,
}

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Self { chunks: Vec::new(), free: NONE, used: 0, len: 0 }
    }
}

impl<T: Node> Slab<T> {
    /// Store a record; gives its place.
    #[inline(always)]
    pub fn insert(&mut self, record: T) -> u32 {
        self.len += 1;
        if self.free != NONE {
            let place = self.free;
            let cell = &mut self[place];
            let next = cell.links(0)[1];
            *cell = record;
            self.free = next;
            return place;
        }
        if self.used as usize == self.chunks.len() << CHUNK_BITS {
            self.grow();
        }
        let place = self.used;
        self.used += 1;
        self[place] = record;
        place
    }

    #[cold]
    fn grow(&mut self) {
        let chunk: Result<Box<[T; CHUNK]>, _> = vec![T::default(); CHUNK].into_boxed_slice().try_into();
        match chunk {
            Ok(chunk) => self.chunks.push(chunk),
            Err(_) => unreachable!("a chunk has CHUNK records"),
        }
    }

    /// Give a place back. Whoever still names it finds an empty record there.
    #[inline]
    pub fn remove(&mut self, place: u32) {
        self.len -= 1;
        let free = self.free;
        let cell = &mut self[place];
        *cell = T::default();
        cell.links_mut(0)[1] = free;
        self.free = place;
    }

    /// The record at a place, where there is such a place.
    #[inline]
    pub fn get(&self, place: u32) -> Option<&T> {
        self.chunks.get((place >> CHUNK_BITS) as usize).map(|chunk| &chunk[place as usize % CHUNK])
    }

    /// How many records there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Bytes that the chunks hold.
    pub fn resident_bytes(&self) -> usize {
        self.chunks.len() * size_of::<[T; CHUNK]>()
    }
}

impl<T> Index<u32> for Slab<T> {
    type Output = T;
    #[inline]
    fn index(&self, place: u32) -> &T {
        &self.chunks[(place >> CHUNK_BITS) as usize][place as usize % CHUNK]
    }
}

impl<T> IndexMut<u32> for Slab<T> {
    #[inline]
    fn index_mut(&mut self, place: u32) -> &mut T {
        &mut self.chunks[(place >> CHUNK_BITS) as usize][place as usize % CHUNK]
    }
}

/// A first-in-first-out queue through the records of a slab; orders leave it from any place.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fifo<const KIND: usize> {
    pub head: u32,
    pub tail: u32,
    pub count: u32,
}

impl<const KIND: usize> Default for Fifo<KIND> {
    fn default() -> Self {
        Self { head: NONE, tail: NONE, count: 0 }
    }
}

impl<const KIND: usize> Fifo<KIND> {
    /// Put a record at the end.
    #[inline]
    pub fn push<T: Node>(&mut self, slab: &mut Slab<T>, place: u32) {
        *slab[place].links_mut(KIND) = [self.tail, NONE];
        if self.tail == NONE {
            self.head = place;
        } else {
            slab[self.tail].links_mut(KIND)[1] = place;
        }
        self.tail = place;
        self.count += 1;
    }

    /// Take a record out.
    #[inline]
    pub fn unlink<T: Node>(&mut self, slab: &mut Slab<T>, place: u32) {
        let [before, after] = slab[place].links(KIND);
        if before == NONE {
            self.head = after;
        } else {
            slab[before].links_mut(KIND)[1] = after;
        }
        if after == NONE {
            self.tail = before;
        } else {
            slab[after].links_mut(KIND)[0] = before;
        }
        self.count -= 1;
    }

    /// The places in order.
    pub fn iter<'a, T: Node>(&self, slab: &'a Slab<T>) -> impl Iterator<Item = u32> + use<'a, T, KIND> {
        let mut at = self.head;
        std::iter::from_fn(move || {
            let place = at;
            (place != NONE).then(|| {
                at = slab[place].links(KIND)[1];
                place
            })
        })
    }
}
