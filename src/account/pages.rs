//! Lists that come in pages.

use std::{collections::HashSet, future::Future};

use tower_llm_layers::FailureKind;

use crate::Error;
use openrouter_wire::{
    catalogue::Model,
    json::{Cursor, Found, JsonError},
};

/// Models per page: OpenRouter's largest page.
pub(super) const SIZE: usize = 1000;
/// More pages than there could be: an upstream that ignores the offset must not cause an endless loop.
const MOST: usize = 100;

/// A page, of which a row that is no model hides no other.
#[derive(Debug)]
pub(super) struct Page {
    /// Each row; `None` is one that is no model.
    rows: Vec<Option<Model>>,
    /// Whether another page follows; `None` if the links cannot be read.
    has_next: Option<bool>,
}

impl Page {
    /// Reads a page.
    ///
    /// # Errors
    ///
    /// If it is not JSON, or has no list of models.
    pub(super) fn read(text: &str) -> Result<Self, Error> {
        let (mut rows, mut has_next) = (None, Some(false));
        let mut cursor = Cursor::lenient(text.as_bytes());
        let read = cursor.object(|key, value| {
            if key.is("data") && value.peek()? == Found::Array {
                let list = rows.insert(Vec::new());
                return value.array_or_skip(|row| {
                    list.push(model_of(row.raw()?));
                    Ok(())
                });
            }
            if key.is("links") {
                has_next = follows(value)?;
                return Ok(());
            }
            value.skip()
        });
        read.and_then(|()| cursor.end())
            .map_err(|cause| Error::new(FailureKind::Malformed, format!("the list of models: {cause}")))?;
        let no_list = || Error::new(FailureKind::Malformed, "the answer to `models` has no list of models");
        Ok(Self {
            rows: rows.ok_or_else(no_list)?,
            has_next,
        })
    }
}

fn model_of(row: &[u8]) -> Option<Model> {
    let model: Option<Model> = serde_json::from_slice(row).ok();
    model.filter(|model| !model.id.is_empty())
}

/// Whether the links name a next page; `None` if that cannot be read.
fn follows(links: &mut Cursor<'_>) -> Result<Option<bool>, JsonError> {
    let found = links.peek()?;
    if found != Found::Object {
        links.skip()?;
        return Ok((found == Found::Null).then_some(false));
    }
    let mut has_next = Some(false);
    links.object(|key, value| {
        let found = value.peek()?;
        if key.is("next") {
            has_next = match found {
                Found::String => Some(true),
                Found::Null => Some(false),
                _ => None,
            };
        }
        value.skip()
    })?;
    Ok(has_next)
}

/// All pages, each model once.
pub(super) async fn all<F, P>(page: F) -> Result<Vec<Model>, Error>
where
    F: Fn(usize) -> P,
    P: Future<Output = Result<Page, Error>>,
{
    let (mut models, mut known) = (Vec::new(), HashSet::new());
    let mut offset = 0;
    let mut odd = 0_usize;
    for _ in 0..MOST {
        let Page { rows, has_next } = page(offset).await?;
        let (came, before) = (rows.len(), models.len());
        odd += rows.iter().filter(|row| row.is_none()).count();
        let read = rows.into_iter().flatten();
        models.extend(read.filter(|model| known.insert(model.id.clone())));
        // If the links cannot be read, a full page has a next one.
        let has_next = has_next.unwrap_or(came >= SIZE);
        // No link, nothing new, or nothing at all: that was the last page.
        if !has_next || came == 0 || models.len() == before {
            if odd > 0 {
                tracing::warn!(target: "llm::catalogue", rows = odd, "rows of the list of models are invalid: skipped");
            }
            return Ok(models);
        }
        offset += came;
    }
    Err(Error::new(
        FailureKind::Malformed,
        format!("the list of models has more than {MOST} pages"),
    ))
}

#[cfg(test)]
mod tests {
    use std::{cell::RefCell, future::ready};

    use super::*;

    /// A list of this many models, in pages of two; `honest` if the offset is heeded.
    async fn listed(count: usize, honest: bool) -> (Result<Vec<Model>, Error>, Vec<usize>) {
        let offsets = RefCell::new(Vec::new());
        let models = all(|offset| {
            offsets.borrow_mut().push(offset);
            let from = if honest { offset } else { 0 };
            let data: Vec<_> = (from..count.min(from + 2))
                .map(|n| serde_json::json!({"id": format!("m/{n}")}))
                .collect();
            let more = from + data.len() < count;
            let page = serde_json::json!({"data": data, "links": {"next": more.then_some("/next")}});
            ready(Page::read(&page.to_string()))
        })
        .await;
        (models, offsets.into_inner())
    }

    #[tokio::test]
    async fn every_page_is_read_once() {
        let (models, offsets) = listed(5, true).await;
        let ids: Vec<_> = models.unwrap().into_iter().map(|model| model.id).collect();
        assert_eq!(ids, ["m/0", "m/1", "m/2", "m/3", "m/4"]);
        assert_eq!(offsets, [0, 2, 4]);
        assert_eq!(listed(0, true).await.1, [0]);
    }

    #[tokio::test]
    async fn an_upstream_that_ignores_the_offset_does_not_keep_us() {
        let (models, offsets) = listed(5, false).await;
        assert_eq!((models.unwrap().len(), offsets.len()), (2, 2));
    }

    #[tokio::test]
    async fn a_row_that_is_no_model_hides_no_other() {
        for page in [
            r#"{"data":[null,5,{"id":"a/b"},{"name":"nameless"},{"id":"c/d","pricing":7}],"links":null}"#,
            r#"{"data":[{"id":"a/b"},{"id":"e/f","created":NaN},{"id":"c/d"}]}"#,
            r#"{"data":[{"id":"a/b"},{"id":"c/d"}],"links":[]}"#,
            r#"{"data":[{"id":"a/b"},{"id":"c/d"}],"links":""}"#,
            r#"{"links":{"next":7},"data":[{"id":"a/b"},{"id":"c/d"}]}"#,
        ] {
            let models = all(|_| ready(Page::read(page))).await.unwrap();
            let ids: Vec<_> = models.iter().map(|model| &*model.id).collect();
            assert_eq!(ids, ["a/b", "c/d"], "{page}");
        }
        for broken in [
            "{}",
            r#"{"data":null}"#,
            r#"{"data":{}}"#,
            "[]",
            r#"{"data":[]"#,
            r#"{"data":[]}]"#,
        ] {
            let error = Page::read(broken).map(drop).unwrap_err();
            assert_eq!(
                error.kind(),
                FailureKind::Malformed,
                "{broken}: no list is not an empty one"
            );
        }
    }

    #[tokio::test]
    async fn unreadable_links_hide_no_later_page() {
        let offsets = RefCell::new(Vec::new());
        let models = all(|offset| {
            offsets.borrow_mut().push(offset);
            let rows: Vec<_> = (offset..(offset + SIZE).min(SIZE + 1))
                .map(|n| serde_json::json!({"id": format!("m/{n}")}))
                .collect();
            let page = serde_json::json!({"data": rows, "links": "/next"});
            ready(Page::read(&page.to_string()))
        })
        .await;
        assert_eq!((models.unwrap().len(), offsets.into_inner()), (SIZE + 1, vec![0, SIZE]));
    }

    #[tokio::test]
    async fn a_list_without_end_is_an_error() {
        assert_eq!(
            listed(1_000_000, true).await.0.unwrap_err().kind(),
            FailureKind::Malformed
        );
    }
}
