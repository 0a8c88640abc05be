//! Keys are in nothing that prints.

use openrouter_simulator::{Script, Simulator};

#[tokio::test]
async fn no_key_is_in_a_debug_form() {
    let key = "sk-or-v1-0123456789abcdef-s3cr3t-abcd";
    let script: Script = serde_json::from_str(&format!(r#"{{"keys": {{"{key}": null}}}}"#)).unwrap();
    let builder = Simulator::builder().key(key).script(script.clone());
    let printed = format!("{script:?} {builder:?}");
    let printed = format!("{printed} {:?}", builder.start().await.unwrap());
    assert!(!printed.contains("s3cr3t"), "{printed}");
}
