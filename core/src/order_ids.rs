//! Where an order is by its id: ids are dense, so pages of a vector tell, and memory follows the open orders alone.

use std::collections::VecDeque;

use crate::hashing::NumberMap;
use crate::slab::NONE;

const PAGE: usize = 1024;

/// A page that the ids have left behind with no more live ones than this gives them to the map of old ids.
const SPARSE: u32 = PAGE as u32 / 8;

/// A gap of more pages than this, as only a snapshot has it, is not paved: what is before it is old.
const WIDE: usize = 64;

#[derive(Clone, Debug, Default)]
struct Page {
    places: Option<Box<[u32; PAGE]>>,
    live: u32,
}

/// The places of live orders by id. Ids come in ascending order.
#[derive(Clone, Debug, Default)]
pub(crate) struct OrderIds {
    /// The number of the first page in `pages`: all before it are empty.
    first: u64,
    pages: VecDeque<Page>,
    spare: Vec<Box<[u32; PAGE]>>,
    old: NumberMap<u64, u32>,
}

impl OrderIds {
    /// Remember where an order is.
    #[inline]
    pub fn insert(&mut self, id: u64, place: u32) {
        let number = id / PAGE as u64;
        if number < self.first {
            self.old.insert(id, place);
            return;
        }
        let at = (number - self.first) as usize;
        if at >= self.pages.len() {
            self.open_page(at);
            return self.insert(id, place);
        }
        let page = &mut self.pages[at];
        let places = page.places.get_or_insert_with(|| self.spare.pop().unwrap_or_else(|| Box::new([NONE; PAGE])));
        places[id as usize % PAGE] = place;
        page.live += 1;
    }

    #[cold]
    fn open_page(&mut self, at: usize) {
        if let Some(last) = self.pages.len().checked_sub(1) {
            self.close_if_sparse(last);
        }
        if at - self.pages.len() > WIDE {
            (0..self.pages.len()).for_each(|page| self.close(page));
            self.first += at as u64;
            self.pages = VecDeque::from([Page::default()]);
            return;
        }
        if self.pages.is_empty() {
            self.first += at as u64;
            self.pages.push_back(Page::default());
        } else {
            self.pages.resize(at + 1, Page::default());
            self.drop_front();
        }
    }

    /// Where an order is, or `NONE`.
    #[inline]
    pub fn get(&self, id: u64) -> u32 {
        let at = (id / PAGE as u64).wrapping_sub(self.first) as usize;
        match self.pages.get(at) {
            Some(Page { places: Some(places), .. }) => places[id as usize % PAGE],
            _ => self.old.get(&id).copied().unwrap_or(NONE),
        }
    }

    /// Forget an order.
    #[inline]
    pub fn remove(&mut self, id: u64) {
        let at = (id / PAGE as u64).wrapping_sub(self.first) as usize;
        let last = self.pages.len().wrapping_sub(1);
        match self.pages.get_mut(at) {
            Some(Page { places: Some(places), live }) => {
                places[id as usize % PAGE] = NONE;
                *live -= 1;
                if *live <= SPARSE && at != last {
                    self.close_if_sparse(at);
                    self.drop_front();
                }
            }
            _ => {
                self.old.remove(&id);
                if self.old.len() * 8 < self.old.capacity() {
                    self.old.shrink_to(self.old.len() * 2);
                }
            }
        }
    }

    /// Move the few that are left of a page to the map, and the page to the spare ones.
    #[cold]
    fn close_if_sparse(&mut self, at: usize) {
        if self.pages[at].live <= SPARSE {
            self.close(at);
        }
    }

    fn close(&mut self, at: usize) {
        let page = &mut self.pages[at];
        let Some(mut places) = page.places.take() else { return };
        let from = (self.first + at as u64) * PAGE as u64;
        for (offset, place) in places.iter_mut().enumerate().filter(|(_, place)| **place != NONE) {
            self.old.insert(from + offset as u64, *place);
            *place = NONE;
        }
        page.live = 0;
        if self.spare.len() < 4 {
            self.spare.push(places);
        }
    }

    /// Bytes that pages and map hold.
    pub fn resident_bytes(&self) -> usize {
        let pages = self.pages.iter().filter(|page| page.places.is_some()).count() + self.spare.len();
        pages * size_of::<[u32; PAGE]>()
            + self.pages.capacity() * size_of::<Page>()
            + self.old.capacity() * 8 / 7 * (size_of::<(u64, u32)>() + 1)
    }

    fn drop_front(&mut self) {
        while self.pages.len() > 1 && self.pages[0].places.is_none() {
            self.pages.pop_front();
            self.first += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_lives_and_forgets_what_went() {
        let mut ids = OrderIds::default();
        let lives = |id: u64| id.is_multiple_of(97) || id % 4096 < 300;
        for id in 1..50_000_u64 {
            ids.insert(id, id as u32 * 2);
            if id > 3000 && !lives(id - 3000) {
                ids.remove(id - 3000);
            }
        }
        for id in 1..50_000_u64 {
            let expected = if id + 3000 > 49_999 || lives(id) { id as u32 * 2 } else { NONE };
            assert_eq!(ids.get(id), expected, "id {id}");
        }
        assert_eq!(ids.get(0), NONE);
        assert_eq!(ids.get(50_000), NONE);
        assert_eq!(ids.get(u64::MAX), NONE);
    }

    #[test]
    fn keeps_few_pages_for_few_orders() {
        let mut ids = OrderIds::default();
        for id in 1..2_000_000_u64 {
            ids.insert(id, 1);
            if id > 100 {
                ids.remove(id - 100);
            }
        }
        assert!(ids.pages.len() <= 3 && ids.spare.len() <= 4, "{} pages", ids.pages.len());
        assert!(ids.old.len() <= 256);
    }
}
