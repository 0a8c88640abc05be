//! Answers of embeddings, whatever the bytes.

use openrouter_wire::{
    ApiAnswer as _,
    embeddings::{EmbeddingResponse, VectorForm, has_vectors, in_form, of_list},
};
use proptest::prelude::*;

use crate::near::{kept, try_reader};

const ANSWERS: [&str; 2] = ["embeddings-plain", "embeddings-error"];

/// The bits of each number, as no number is equal to NaN; `None` if it cannot be read.
fn numbers(answer: &[u8]) -> Option<Vec<Vec<u32>>> {
    let answer = EmbeddingResponse::from_json(answer).ok()?;
    let bits = |vector: &[f32]| vector.iter().map(|number| number.to_bits()).collect::<Vec<u32>>();
    Some(answer.vectors().map(bits).collect())
}

/// A change of form changes no number, loses no vector, and leaves nothing in the other form to be changed.
#[test]
fn any_vectors_have_the_same_numbers_in_either_form() {
    try_reader(&ANSWERS, |text| {
        for form in [VectorForm::Numbers, VectorForm::Base64] {
            let Some(other) = in_form(text, form) else { continue };
            prop_assert_eq!(numbers(&other), numbers(text), "{:?}", other);
            prop_assert!(!has_vectors(text) || has_vectors(&other), "{:?}", other);
            prop_assert_eq!(in_form(&other, form), None, "{:?}", other);
        }
        Ok(())
    });
}

/// A list alone becomes an answer only if it is one, with all of its vectors.
#[test]
fn any_list_that_becomes_an_answer_has_its_vectors() {
    try_reader(&ANSWERS, |text| {
        let Ok(Some(answer)) = of_list(text) else { return Ok(()) };
        prop_assert!(has_vectors(&answer), "{:?}", answer);
        let is_text = std::str::from_utf8(text).is_ok();
        prop_assert!(
            !is_text || EmbeddingResponse::from_json(&answer).is_ok(),
            "{:?}",
            answer
        );
        Ok(())
    });
}

#[test]
fn each_kept_answer_of_embeddings_has_its_vectors_and_no_kept_error_has() {
    for (name, text) in kept("embeddings-plain") {
        let answer = of_list(&text).ok().flatten().unwrap_or(text);
        assert!(has_vectors(&answer), "{name}");
        assert!(!numbers(&answer).unwrap().is_empty(), "{name}");
    }
    for (name, text) in kept("embeddings-error") {
        assert!(!has_vectors(&text) && !matches!(of_list(&text), Ok(Some(_))), "{name}");
    }
}
