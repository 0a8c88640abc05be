//! The items of a response and the blocks of a message, however their events name them.
//!
//! Servers reuse an index, give all items the same one, or give none. So an index names the newest item that began with it, and an event
//! without one is about the item that the event before it was about.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;

use super::item::{Item, Named};
use super::node::inside;

/// The items in the order in which they began.
#[derive(Default)]
pub(super) struct Items {
    list: Vec<Item>,
    newest: HashMap<u64, usize>,
    by_id: HashMap<Box<[u8]>, usize>,
    current: Option<usize>,
}

/// How an event names the item that it is about.
#[derive(Clone, Copy)]
pub(super) struct ItemPosition<'a> {
    index: Option<u64>,
    id: Option<&'a [u8]>,
}

impl<'a> ItemPosition<'a> {
    pub(super) fn of(event: &BTreeMap<Cow<'_, str>, &'a [u8]>) -> Self {
        let index = event.get("output_index").or_else(|| event.get("index"));
        Self {
            index: index.and_then(|raw| crate::json::whole_number(raw)),
            id: event.get("item_id").copied().and_then(inside),
        }
    }
}

impl Items {
    pub(super) const fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// An item begins, whatever stands at its place.
    pub(super) fn begin(&mut self, place: ItemPosition<'_>, object: Option<Bytes>) {
        let at = self.push(place);
        if let (Some(item), Some(object)) = (self.list.get_mut(at), object) {
            let named = Named::of(&object);
            item.set_object(object, named);
        }
    }

    /// An item begins, or is announced again.
    pub(super) fn announce(&mut self, place: ItemPosition<'_>, object: Option<Bytes>) {
        self.take(place, object, |item, place, kind| {
            !item.is_closed && item.may_be(place.index.is_some(), place.id, kind)
        });
    }

    /// The item as it is at its end.
    pub(super) fn end(&mut self, place: ItemPosition<'_>, object: Option<Bytes>) {
        let item = self.take(place, object, |item, place, kind| item.is_ended_by(place.id, kind));
        if let Some(item) = item {
            item.is_closed = true;
        }
    }

    /// The item at this place if it is the same as the object, by place and type; else a new one. It is the object from now on.
    fn take(
        &mut self,
        place: ItemPosition<'_>,
        object: Option<Bytes>,
        is_same: impl Fn(&Item, ItemPosition<'_>, Option<&[u8]>) -> bool,
    ) -> Option<&mut Item> {
        let named = object.as_ref().map(Named::of).unwrap_or_default();
        let (id, kind) = (named.id.clone(), named.kind.clone());
        let place = ItemPosition {
            id: id.as_deref().or(place.id),
            ..place
        };
        let is_same = |at: &usize| {
            let item = self.list.get(*at);
            item.is_some_and(|item| is_same(item, place, kind.as_deref()))
        };
        let known = self.known(place).filter(is_same);
        let at = known.unwrap_or_else(|| self.push(place));
        self.name(at, place);
        let item = self.list.get_mut(at)?;
        if let Some(object) = object {
            item.set_object(object, named);
        }
        Some(item)
    }

    /// Nothing more comes of the item.
    pub(super) fn close(&mut self, place: ItemPosition<'_>) {
        if let Some(item) = self.known(place).and_then(|at| self.list.get_mut(at)) {
            item.is_closed = true;
        }
    }

    /// The item that a piece belongs to; a new one if there is none.
    pub(super) fn at(&mut self, place: ItemPosition<'_>) -> Option<&mut Item> {
        let at = self.known(place).unwrap_or_else(|| self.push(place));
        self.current = Some(at);
        self.list.get_mut(at)
    }

    /// The text so far.
    pub(super) fn text(&self) -> String {
        self.in_order().into_iter().filter_map(Item::text).collect()
    }

    /// As a JSON list.
    pub(super) fn write(&self, are_blocks: bool) -> Vec<u8> {
        let items: Vec<Vec<u8>> = self.in_order().into_iter().map(|item| item.write(are_blocks)).collect();
        [b"[", items.join(&b","[..]).as_slice(), b"]"].concat()
    }

    fn in_order(&self) -> Vec<&Item> {
        let mut items: Vec<&Item> = self.list.iter().collect();
        items.sort_by_key(|item| item.order);
        items
    }

    fn known(&self, place: ItemPosition<'_>) -> Option<usize> {
        let by_id = place.id.and_then(|id| self.by_id.get(id)).copied();
        let Some(index) = place.index else {
            return by_id.or(self.current);
        };
        let by_index = self.newest.get(&index).copied();
        // All items at one index: the id tells them apart.
        let is_other = |at: &usize| self.list.get(*at).is_some_and(|item| item.is_another(place.id));
        match (by_index, by_id) {
            (Some(at), Some(other)) if is_other(&at) => Some(other),
            (by_index, _) => by_index,
        }
    }

    fn push(&mut self, place: ItemPosition<'_>) -> usize {
        let at = self.list.len();
        let order = place
            .index
            .unwrap_or_else(|| self.list.last().map_or(0, |last| last.order));
        self.list.push(Item::new(order));
        if let Some(index) = place.index {
            self.newest.insert(index, at);
        }
        self.name(at, place);
        at
    }

    /// From now on the item is found by this id, and is the current one.
    fn name(&mut self, at: usize, place: ItemPosition<'_>) {
        if let Some(id) = place.id.filter(|id| !id.is_empty()) {
            self.by_id.insert(id.into(), at);
        }
        self.current = Some(at);
    }
}
