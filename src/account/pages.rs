//! Lists that come in pages.

use std::{collections::HashSet, future::Future};

use tower_llm_layers::FailureKind;

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::Error;
use openrouter_wire::catalogue::{Model, PageLinks};

/// Models per page: OpenRouter's largest page.
pub(super) const SIZE: usize = 1000;
/// More pages than there could be: an upstream that ignores the offset must not cause an endless loop.
const MOST: usize = 100;

/// A page, of which a row that is no model hides no other.
#[derive(Deserialize)]
pub(super) struct Page {
    data: Vec<Row>,
    #[serde(default)]
    links: Option<PageLinks>,
}

struct Row(Option<Model>);

impl<'de> Deserialize<'de> for Row {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        let model = serde_json::from_str::<Model>(raw.get()).ok();
        Ok(Self(model.filter(|model| !model.id.is_empty())))
    }
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
        let Page { data, links } = page(offset).await?;
        let (came, before) = (data.len(), models.len());
        odd += data.iter().filter(|row| row.0.is_none()).count();
        let read = data.into_iter().filter_map(|row| row.0);
        models.extend(read.filter(|model| known.insert(model.id.clone())));
        // No link, nothing new, or nothing at all: that was the last page.
        if links.is_none_or(|links| links.next.is_none()) || came == 0 || models.len() == before {
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
            ready(serde_json::from_value(page).map_err(|error| Error::caused(FailureKind::Internal, "", error)))
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
        let page = r#"{"data":[null,5,{"id":"a/b"},{"name":"nameless"},{"id":"c/d","pricing":7}],"links":null}"#;
        let read =
            || serde_json::from_str::<Page>(page).map_err(|error| Error::caused(FailureKind::Internal, "", error));
        let models = all(|_| ready(read())).await.unwrap();
        assert_eq!(
            models.iter().map(|model| &*model.id).collect::<Vec<_>>(),
            ["a/b", "c/d"]
        );
        assert!(
            serde_json::from_str::<Page>("{}").is_err(),
            "no list is not an empty one"
        );
    }

    #[tokio::test]
    async fn a_list_without_end_is_an_error() {
        assert_eq!(
            listed(1_000_000, true).await.0.unwrap_err().kind(),
            FailureKind::Malformed
        );
    }
}
