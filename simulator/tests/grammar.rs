//! The one syntax: what is printed is read back, and an unknown fault is refused.

use openrouter_simulator::{Fault, Plan, Refusal, Script, Step};

#[test]
fn every_clause_of_the_table_reads_prints_and_serialises_alike() {
    for (example, _) in Fault::table() {
        let fault: Fault = example.parse().unwrap();
        assert_eq!(fault.to_string().parse::<Fault>().unwrap(), fault, "{example}");
        let json = serde_json::to_string(&fault).unwrap();
        assert_eq!(serde_json::from_str::<Fault>(&json).unwrap(), fault, "{example}");
        assert_eq!(fault.to_string(), *example, "the table shows the canonical form");
    }
}

#[test]
fn every_refusal_is_in_the_table_and_reads_back() {
    let table: Vec<&str> = Fault::table().iter().map(|(example, _)| *example).collect();
    for refusal in Refusal::all() {
        let text = refusal.to_string();
        assert_eq!(text.parse::<Fault>().unwrap(), Fault::Refuse(refusal), "{text}");
        assert!(table.contains(&text.as_str()), "{text} is missing from the table");
    }
}

#[test]
fn the_readme_has_the_whole_table() {
    let readme = include_str!("../README.md");
    for (example, meaning) in Fault::table() {
        assert!(readme.contains(&format!("| `{example}` | {meaning} |")), "{example}");
    }
}

#[test]
fn an_unknown_fault_names_the_nearest_one() {
    for (text, near) in [
        ("okk", "; did you mean `ok`?"),
        ("stal=3s", "; did you mean `stall`?"),
        ("first-tokn=1s", "; did you mean `first-token`?"),
        ("x", ""),
        ("999x", ""),
        ("something-else", ""),
    ] {
        let message = text.parse::<Fault>().unwrap_err().to_string();
        let begin = format!("unknown fault `{text}`{near} (");
        assert!(message.starts_with(&begin), "{message}");
    }
}

#[test]
fn short_forms_have_a_long_one() {
    for (short, long) in [
        ("error", "error=502"),
        ("error@5", "error=502@5"),
        ("bad-json@0", "bad-json"),
        ("402-afford", "402-afford=1480"),
        ("stall=120@3", "stall=120s@3"),
        ("first-token=2m", "first-token=120s"),
        ("521", "521"),
    ] {
        assert_eq!(short.parse::<Fault>().unwrap().to_string(), long);
    }
}

#[test]
fn text_of_any_kind_survives() {
    let fault = Fault::Text("a,b;c=d@e%f x\nGrüße 20%".to_owned());
    let plan = Plan::new([
        Step::new([fault.clone(), Fault::NoDone]).percent(20).times(3),
        Step::from(Fault::Ok),
    ]);
    assert_eq!(plan.to_string().parse::<Plan>().unwrap(), plan);
    assert!(plan.to_string().is_ascii());
}

#[test]
fn nonsense_is_refused() {
    for wrong in [
        "",
        "nope",
        "200",
        "399",
        "600",
        "5030",
        "cut@",
        "cut@x",
        "stall=5s",
        "split=0",
        "drip=0s/5s",
        "usage=odd",
        "120%503",
        "x503",
        "text=%zz",
        "big-event=99999999999",
        "words=2000000",
        "503;;ok",
        "503,,ok",
        "503;429",
        "-1x503",
    ] {
        assert!(wrong.parse::<Plan>().is_err(), "{wrong:?}");
    }
}

#[test]
fn a_plan_deals_its_steps_in_order() {
    let at = |plan: &str, n: u64| plan.parse::<Plan>().unwrap().step(n).map(ToString::to_string);
    let some = |text: &str| Some(text.to_owned());
    assert_eq!([at("503", 0), at("503", 9)], [some("503"), some("503")]);
    assert_eq!(
        [at("503,ok", 0), at("503,ok", 1), at("503,ok", 9)],
        [some("503"), some("ok"), some("ok")]
    );
    assert_eq!([at("2x503,ok", 1), at("2x503,ok", 2)], [some("2x503"), some("ok")]);
    assert_eq!([at("2x503", 1), at("2x503", 2)], [some("2x503"), None]);
}

#[test]
fn a_script_is_strict() {
    let script: Script =
        serde_json::from_str(r#"{"models":{"a/b":["503","ok"],"c/d":"2x429"},"seed":3,"piece_delay":"20ms"}"#).unwrap();
    assert_eq!(script.models["a/b"].to_string(), "503,ok");
    assert_eq!(script.piece_delay, Some(std::time::Duration::from_millis(20)));
    for wrong in [
        r#"{"model":{}}"#,
        r#"{"models":{"a":"nope"}}"#,
        r#"{"piece_delay":"soon"}"#,
        r#"{"credits":"1e3"}"#,
    ] {
        assert!(serde_json::from_str::<Script>(wrong).is_err(), "{wrong}");
    }
}
