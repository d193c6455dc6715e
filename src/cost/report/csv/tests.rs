//! Tests of cost reports as CSV.

use super::*;
use crate::cost::{CallOutcome, Tally};
use std::collections::BTreeMap;
use std::time::{Duration, UNIX_EPOCH};

fn call() -> CallRecord {
    CallRecord {
        at: UNIX_EPOCH + Duration::from_millis(1_795_453_680_250),
        provider: "openai".into(),
        model: "gpt-4o".into(),
        served_model: "gpt-4o-2024-08-06".into(),
        service_tier: Some("flex".into()),
        tags: BTreeMap::from([("customer".into(), "Acme, \"Inc.\"".into())]),
        usage: Usage {
            cached_tokens: 3,
            cache_write_tokens: 2,
            cache_write_1h_tokens: 1,
            prompt_audio_tokens: 4,
            prompt_image_tokens: 5,
            reasoning_tokens: 6,
            completion_audio_tokens: 7,
            completion_image_tokens: 8,
            web_searches: 9,
            ..Usage::reported(100, 50)
        },
        cost: Some(Cost {
            total: "0.0125".parse().unwrap(),
            input: Money::cents(1),
            output: "0.0025".parse().unwrap(),
            ..Cost::default()
        }),
        outcome: CallOutcome::Answered,
    }
}

fn report() -> CostReport {
    let first = call();
    let tags = BTreeMap::from([("=team".into(), "-1\r\n+2".into())]);
    let second = CallRecord {
        served_model: String::new(),
        service_tier: None,
        tags,
        usage: Usage::default(),
        cost: None,
        outcome: CallOutcome::Broken,
        ..call()
    };
    let tally_of = |call: &CallRecord| Tally::of_answer(call.usage, call.cost);
    let tally: Tally = [&first, &second].into_iter().map(tally_of).sum();
    CostReport {
        total: tally,
        by_model: vec![Row::model("openai", "@cf/gpt-4o").with(tally)],
        by_day: vec![Row::new("2026-11-23").with(tally)],
        by_tag: BTreeMap::from([(
            "customer".into(),
            vec![Row::new("Acme, \"Inc.\"").with(tally_of(&first))],
        )]),
        last: vec![first, second],
        ..CostReport::default()
    }
}

#[test]
fn the_tables_are_csv() {
    let numbers = "100,3,2,1,4,5,50,6,7,8,9,0.0125,0.01,0.00,0.00,0.00,0.0025,0.00,0.00,0.00,0.00";
    let expected = [
        "section,provider,tag,key,calls,unpriced,bound,estimated,prompt_tokens,cached_tokens,\
         cache_write_tokens,cache_write_1h_tokens,prompt_audio_tokens,prompt_image_tokens,\
         completion_tokens,reasoning_tokens,completion_audio_tokens,completion_image_tokens,\
         web_searches,cost,cost_input,cost_cached_input,cost_cache_write,cost_input_media,\
         cost_output,cost_reasoning,cost_output_media,cost_web_searches,cost_request",
        &format!("total,,,,2,1,0,0,{numbers}"),
        &format!("model,openai,,\"'@cf/gpt-4o\",2,1,0,0,{numbers}"),
        &format!("day,,,2026-11-23,2,1,0,0,{numbers}"),
        &format!("tag,,customer,\"Acme, \"\"Inc.\"\"\",1,0,0,0,{numbers}"),
        "",
    ];
    assert_eq!(report().csv(), expected.join("\r\n"));
}

#[test]
fn the_recent_calls_are_csv_with_a_column_for_each_tag() {
    let expected = [
        "at,provider,model,served_model,service_tier,outcome,prompt_tokens,cached_tokens,\
         cache_write_tokens,cache_write_1h_tokens,prompt_audio_tokens,prompt_image_tokens,\
         completion_tokens,reasoning_tokens,completion_audio_tokens,completion_image_tokens,\
         web_searches,usage_source,cost,cost_input,cost_cached_input,cost_cache_write,\
         cost_input_media,cost_output,cost_reasoning,cost_output_media,cost_web_searches,\
         cost_request,cost_source,tag:=team,tag:customer",
        "2026-11-23T17:08:00.250Z,openai,gpt-4o,gpt-4o-2024-08-06,flex,answered,\
         100,3,2,1,4,5,50,6,7,8,9,reported,\
         0.0125,0.01,0.00,0.00,0.00,0.0025,0.00,0.00,0.00,0.00,priced,,\"Acme, \"\"Inc.\"\"\"",
        "2026-11-23T17:08:00.250Z,openai,gpt-4o,,,broken,0,0,0,0,0,0,0,0,0,0,0,missing,\
         ,,,,,,,,,,,\"'-1\r\n+2\",",
        "",
    ];
    assert_eq!(report().calls_csv(), expected.join("\r\n"));
}

/// Parses CSV by the grammar of RFC 4180, independently of the writer.
fn fields(text: &str) -> Vec<Vec<String>> {
    let (mut lines, mut line, mut field) = (Vec::new(), Vec::new(), String::new());
    let mut chars = text.chars().peekable();
    let mut quoted = false;
    while let Some(char) = chars.next() {
        match (quoted, char) {
            (true, '"') if chars.peek() == Some(&'"') => {
                chars.next();
                field.push('"');
            }
            (_, '"') => quoted = !quoted,
            (false, ',') => line.push(std::mem::take(&mut field)),
            (false, '\r') => {
                assert_eq!(chars.next(), Some('\n'));
                line.push(std::mem::take(&mut field));
                lines.push(std::mem::take(&mut line));
            }
            (_, char) => field.push(char),
        }
    }
    assert!(!quoted && line.is_empty() && field.is_empty());
    lines
}

#[test]
fn names_from_outside_stay_in_their_fields_and_never_become_formulas() {
    for (name, expected) in [
        ("plain name", "plain name"),
        ("a=b+c-d@e", "a=b+c-d@e"),
        ("", ""),
        (" padded ", " padded "),
        ("a,b;c\td", "a,b;c\td"),
        ("\"", "\""),
        ("line\r\nline\nline\r", "line\r\nline\nline\r"),
        ("=1+1", "'=1+1"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\t=1"),
        ("\r=1", "'\r=1"),
        ("＝1", "'＝1"),
        ("\",=1", "\",=1"),
        ("Zoë 東京", "Zoë 東京"),
        ("\0\u{1b}[31m\u{9b}\u{202e}", "\\u{0}\\u{1b}[31m\\u{9b}\\u{202e}"),
    ] {
        let report = CostReport {
            by_provider: vec![Row::new(name)],
            by_tag: BTreeMap::from([(name.to_owned(), vec![Row::new("v")])]),
            last: vec![CallRecord { model: name.into(), ..call() }],
            ..CostReport::default()
        };
        let lines = fields(&report.csv());
        assert_eq!(lines[2][3], expected, "{name:?}");
        assert_eq!(lines[3][2], expected, "{name:?}");
        assert!(lines.iter().all(|line| line.len() == lines[0].len()), "{name:?}");
        assert_eq!(fields(&report.calls_csv())[1][2], expected, "{name:?}");
    }
}
