//! Tests of the exported metrics, with `promtool` if it is installed.

use std::env;
use std::io::Write as _;
use std::process::{Command, Stdio};

use super::*;
use crate::metrics::tests::{example, sparse};

#[test]
fn a_snapshot_is_written_in_the_text_format() {
    assert_eq!(example().prometheus(), include_str!("example.prom"));
}

/// Prometheus' own checker, from Debian's package `prometheus`.
#[test]
fn promtool_accepts_the_output() {
    let Some(promtool) = env::var_os("TOLLGATE_PROMTOOL") else {
        println!("skipped: TOLLGATE_PROMTOOL is not set");
        return;
    };
    for text in [example().prometheus(), sparse().prometheus()] {
        let mut check = Command::new(&promtool)
            .args(["check", "metrics"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        check.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        let done = check.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&done.stderr) + String::from_utf8_lossy(&done.stdout);
        assert!(done.status.success() && said.is_empty(), "{said}");
    }
}

#[test]
fn openmetrics_differs_only_where_it_must() {
    let (older, newer) = (example().prometheus(), example().openmetrics());
    assert!(older.contains("# TYPE tollgate_client_calls_total counter\n"));
    assert!(newer.contains("# TYPE tollgate_client_calls counter\n"));
    assert!(newer.contains("# UNIT gen_ai_client_operation_duration_seconds seconds\n"));
    assert!(older.contains(r#"le="1"} "#) && newer.contains(r#"le="1.0"} "#));
    assert!(newer.ends_with("\n# EOF\n") && !older.contains("EOF"));
    let values = |text: &str| text.lines().filter(|line| !line.starts_with('#')).count();
    assert_eq!(values(&older), values(&newer));
}

#[test]
fn buckets_ascend_to_the_count() {
    let text = example().prometheus();
    let (mut last, mut buckets) = (0, 0);
    for line in text.lines().filter(|line| line.contains("_bucket{")) {
        let count: u64 = line.rsplit(' ').next().unwrap().parse().unwrap();
        assert!(count >= last, "{line}");
        last = if line.contains("le=\"+Inf\"") { 0 } else { count };
        buckets += 1;
    }
    assert!(buckets > 100);
}

#[test]
fn the_number_of_targets_is_bounded() {
    let mut snapshot = example();
    let target = snapshot.targets[0].clone();
    snapshot.targets = (0..1_000)
        .map(|number| TargetStatus { name: number.to_string(), ..target.clone() })
        .collect();
    let text = snapshot.prometheus();
    let in_flight = text.lines().filter(|line| line.starts_with("tollgate_target_in_flight{"));
    assert_eq!(in_flight.count(), MOST);
}

#[test]
fn the_fullest_of_many_accounts_are_shown_and_none_twice() {
    let mut snapshot = example();
    let status = snapshot.costs.budgets[0].clone();
    snapshot.costs.budgets = (0..1_000)
        .map(|number| BudgetStatus {
            account: format!("customer={number}"),
            spent: crate::Money::cents(number % 500),
            ..status.clone()
        })
        .collect();
    let twice = snapshot.costs.budgets[499].clone();
    snapshot.costs.budgets.push(twice);
    let text = snapshot.prometheus();
    let spent: Vec<&str> =
        text.lines().filter(|line| line.starts_with("tollgate_budget_spent_usd{")).collect();
    assert_eq!(spent.len(), MOST);
    assert!(spent.iter().all(|line| line.contains(" 4.")), "{spent:?}");
}
