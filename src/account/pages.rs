//! Lists that come in pages.

use std::{collections::HashSet, future::Future};

use tower_llm_layers::FailureKind;

use crate::{
    Error,
    response::{Model, ModelsPage},
};

/// Models asked for at once: OpenRouter's largest page.
pub(super) const SIZE: usize = 1000;
/// More pages than there could be: an upstream that ignores the offset must not keep us for ever.
const MOST: usize = 100;

/// All pages, each model once.
pub(super) async fn all<F, P>(page: F) -> Result<Vec<Model>, Error>
where
    F: Fn(usize) -> P,
    P: Future<Output = Result<ModelsPage, Error>>,
{
    let (mut models, mut known) = (Vec::new(), HashSet::new());
    let mut offset = 0;
    for _ in 0..MOST {
        let ModelsPage { data, links, .. } = page(offset).await?;
        let (came, before) = (data.len(), models.len());
        models.extend(data.into_iter().filter(|model: &Model| known.insert(model.id.clone())));
        // No link, nothing new, or nothing at all: that was the last page.
        if links.next.is_none() || came == 0 || models.len() == before {
            return Ok(models);
        }
        offset += came;
    }
    Err(Error::new(
        FailureKind::Malformed,
        format!("the list of models has more than {MOST} pages"),
    ))
}
