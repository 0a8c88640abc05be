//! Which rows of a list are requested: OpenRouter's clients read it page by page.

use super::problem::Problem;

/// The rows of a page, if only one of the two is named.
const LIMIT: usize = 500;

/// The rows from one on, so many at most.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Page {
    pub(super) offset: usize,
    pub(super) limit: usize,
}

impl Page {
    /// What `offset` and `limit` in the query of a URI request; the whole list without either, as at OpenRouter.
    ///
    /// A list that ignored them would have no last page: a client asks for the next one until a page is not full.
    pub(super) fn of(query: Option<&str>) -> Result<Self, Problem> {
        let (mut offset, mut limit) = (None, None);
        for (name, value) in query
            .unwrap_or_default()
            .split('&')
            .filter_map(|pair| pair.split_once('='))
        {
            match name {
                "offset" => offset = Some(number("offset", value, 0)?),
                "limit" => limit = Some(number("limit", value, 1)?),
                _ => {}
            }
        }
        let whole = offset.is_none() && limit.is_none();
        Ok(Self {
            offset: offset.unwrap_or(0),
            limit: limit.unwrap_or(if whole { usize::MAX } else { LIMIT }),
        })
    }
}

fn number(name: &'static str, value: &str, least: usize) -> Result<usize, Problem> {
    let number = value.parse().ok().filter(|number| *number >= least);
    number.ok_or_else(|| {
        Problem::bad_request(
            name,
            format!("invalid `{name}`: expected a whole number from {least} on"),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_what_the_query_says() {
        let page = |offset, limit| Page { offset, limit };
        for (query, expected) in [
            (None, page(0, usize::MAX)),
            (Some(""), page(0, usize::MAX)),
            (Some("q=gpt&sort=newest"), page(0, usize::MAX)),
            (Some("offset=500"), page(500, LIMIT)),
            (Some("limit=2"), page(0, 2)),
            (Some("limit=2&offset=4&x"), page(4, 2)),
        ] {
            assert_eq!(Page::of(query).unwrap(), expected, "{query:?}");
        }
        for (query, name) in [
            ("offset=-1", "offset"),
            ("limit=0", "limit"),
            ("limit=ten", "limit"),
            ("offset=", "offset"),
        ] {
            let problem = Page::of(Some(query)).unwrap_err();
            assert_eq!(
                (problem.status.as_u16(), problem.param.as_deref()),
                (400, Some(name)),
                "{query}"
            );
        }
    }
}
