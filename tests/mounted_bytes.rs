//! What a client of the mounted stack posts goes up byte for byte, in every API, but for the model of a fallback.

use http::StatusCode;
use tower_openrouter::{Api, ChatServiceExt, Stack};

use crate::{
    apis::{first_does, forms, good, sent_body},
    support::{
        FIRST, SECOND,
        mounted::{post, send},
        raw::{Raw, Step, head},
    },
};

/// White space, escapes, numbers and fields that no serialiser would write so; the model is also named in a text.
fn odd(api: Api, streamed: bool) -> String {
    let stream = if api == Api::Embeddings {
        String::new()
    } else {
        format!("\"stream\":{streamed} ,")
    };
    let fields = r#""new" : {"deep":[ 1, 2.50,1E+2 , -0.0,"\u00e9é\/",null ,[ ]], "model":"no/model"},"unkn\u006fwn":[{}], "\u00fcber":1e400"#;
    let content = match api {
        Api::Chat => format!(
            r#""messages" :[ {{"role":"user","content":"Why {FIRST}?\n","x":1.0}} , {{"content":[{{"text":"Hi","type":"text","y":[]}}],"role":"user"}}]"#
        ),
        Api::Responses => {
            format!(r#""max_output_tokens" : 50,"input": [ {{"content":"Why {FIRST}?","role":"user","x":1.0}} ]"#)
        }
        Api::Messages => format!(
            r#""messages": [ {{"content" : "Why {FIRST}?","role":"user","x":1.0}}],"max_tokens":  50, "metadata":{{"user_id":null}}"#
        ),
        _ => format!(r#""input" : [ "Why {FIRST}? é" ],"user":"u\u0031""#),
    };
    format!(" \n{{ {fields},\r\n\t\"model\" :  \"{FIRST}\" , {stream}{content}  }} \n")
}

/// Posts an odd body to each path of each API, and compares what the upstream saw with what it should see.
async fn compared(first: fn(Api, &str) -> Vec<Step>, stack: fn(&Raw) -> Stack, expected: fn(&str) -> Vec<String>) {
    for api in Api::ALL {
        for &streamed in forms(api) {
            for root in ["/v1", "/api/v1"] {
                let path = format!("{root}/{}", api.path());
                let body = odd(api, streamed);
                // Only the model that is called stands between quotes.
                let raw = first_does(api, first(api, &body)).await;
                let (parts, text) = send(stack(&raw).into_endpoints(), post(&path, body.clone())).await;
                assert_eq!(parts.status, StatusCode::OK, "{path} {streamed}: {text}");
                let seen = raw.seen();
                let sent: Vec<_> = seen.iter().map(|request| sent_body(request)).collect();
                assert_eq!(sent, expected(&body), "{path} {streamed}");
                for request in &seen {
                    assert!(
                        request.starts_with(&format!("POST {path} ").replace("/api", "")),
                        "{request}"
                    );
                }
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_posted_body_goes_up_byte_for_byte_in_every_api() {
    compared(good, Raw::alone, |body: &str| vec![body.to_owned()]).await;
}

#[tokio::test(start_paused = true)]
async fn behind_a_dead_first_model_the_models_value_alone_is_another() {
    let down = |_: Api, _: &str| vec![head("503 Service Unavailable", "text/plain")];
    let pair = |raw: &Raw| {
        let builder = raw.builder().chain([FIRST, SECOND]);
        builder.fallback_for_embeddings(true).build().unwrap()
    };
    let expected = |body: &str| {
        let other = body.replace(&format!("\"{FIRST}\""), &format!("\"{SECOND}\""));
        vec![body.to_owned(), other]
    };
    compared(down, pair, expected).await;
}
