//! Tests of cost reports as text tables.

use super::*;
use crate::cost::Cost;
use crate::usage::Usage;
use std::collections::BTreeMap;
use std::time::{Duration, UNIX_EPOCH};

fn tally(calls: u64, tokens: [u64; 3], cost: &str) -> Tally {
    let [prompt, cached, completion] = tokens;
    Tally {
        calls,
        usage: Usage { cached_tokens: cached, ..Usage::reported(prompt, completion) },
        cost: Cost { total: cost.parse().unwrap(), ..Cost::default() },
        ..Tally::default()
    }
}

fn status() -> BudgetStatus {
    BudgetStatus {
        budget: "daily".into(),
        account: "customer=acme".into(),
        window: "daily".into(),
        starts: None,
        ends: Some(UNIX_EPOCH + Duration::from_secs(1_795_478_400)),
        limit: Money::dollars(5),
        soft: false,
        spent: Money::cents(260),
        reserved: Money::cents(40),
        left: Money::dollars(2),
        projected: Some(Money::cents(610)),
    }
}

fn report() -> CostReport {
    let expensive = tally(1_000, [10_200_000, 4_100_000, 1_000_000], "11.2345");
    let unpriced = Tally { unpriced: 3, ..tally(3, [900, 0, 40], "0") };
    let mixed = Tally {
        unpriced: 1,
        bound: 2,
        estimated: 1,
        ..tally(231, [2_050_000, 0, 210_000], "1.103")
    };
    let mut total: Tally = [expensive, unpriced, mixed].iter().sum();
    total.usage.web_searches = 1;
    let days = [("2026-11-22", expensive), ("2026-11-23", mixed)];
    CostReport {
        since: Some(UNIX_EPOCH + Duration::from_secs(1_795_453_680)),
        total,
        by_model: vec![
            Row::model("openai", "gpt-4o-mini").with(expensive),
            Row::model("anthropic", "claude-sonnet-4-5-20250929-thinking").with(mixed),
            Row::model("local", "évil\n\u{1b}[31m").with(unpriced),
        ],
        by_provider: vec![Row::new("openai").with(expensive), Row::new("anthropic").with(mixed)],
        by_tag: BTreeMap::from([(
            "customer\u{202e}".into(),
            vec![Row::new("東京電力").with(expensive), Row::new("(none)").with(mixed)],
        )]),
        by_day: days.map(|(day, tally)| Row::new(day).with(tally)).into(),
        budgets: vec![
            status(),
            BudgetStatus {
                budget: "Team \"A\"".into(),
                account: String::new(),
                window: "monthly".into(),
                ends: None,
                soft: true,
                spent: Money::cents(520),
                reserved: Money::ZERO,
                left: Money::ZERO,
                projected: None,
                ..status()
            },
        ],
        refused: 12,
        unrecorded: 1,
        ledger_error: Some("disk full\n".into()),
        prices_date: "2026-11-20".into(),
        ..CostReport::default()
    }
}

const GOLDEN: &str = r#"$12.34 for 1,234 calls since 2026-11-23 17:08 UTC
12.3 M input tokens (4.1 M cached), 1.2 M output tokens, 1 web search
Prices as of 2026-11-20
! NOT IN THE COST: 4 calls to models without a known price
! NOT RECORDED IN THE LEDGER: 1 call, still reserved there
! The ledger failed: disk full\n
! 2 calls with unreported usage, charged at the upper bound
! 1 call with unreported usage, cost estimated
! 12 calls refused by a budget

Model                              Calls    Input   Cached   Output        Cost
openai gpt-4o-mini                 1,000   10.2 M    4.1 M    1.0 M      $11.23
anthropic claud…50929-thinking       231    2.1 M        0  210.0 k       $1.10+
local évil\n\u{1b}[31m                 3      900        0       40    no price

Provider                           Calls    Input   Cached   Output        Cost
openai                             1,000   10.2 M    4.1 M    1.0 M      $11.23
anthropic                            231    2.1 M        0  210.0 k       $1.10+

Tag customer\u{202e}               Calls    Input   Cached   Output        Cost
東京電力                           1,000   10.2 M    4.1 M    1.0 M      $11.23
(none)                               231    2.1 M        0  210.0 k       $1.10+

Day                                Calls    Input   Cached   Output        Cost
2026-11-22                         1,000   10.2 M    4.1 M    1.0 M      $11.23
2026-11-23                           231    2.1 M        0  210.0 k       $1.10+

Budgets
"daily" (customer=acme), until 2026-11-24 00:00 UTC
  [##########==........]  52 %  $2.60 of $5.00, $0.40 reserved, $2.00 left
                                ! at this rate $6.10 by the end
"Team \"A\"", monthly, alerts only
  [####################] 104 %  $5.20 of $5.00, $0.00 left
"#;

#[test]
fn a_report_is_tables_for_eighty_columns() {
    let text = report().to_string();
    assert_eq!(text, GOLDEN, "\n{text}");
    // The wide characters take two columns each.
    let width = |line: &str| line.chars().count() + line.matches(['東', '京', '電', '力']).count();
    assert!(text.lines().all(|line| width(line) <= 80));
    assert!(text.chars().all(|char| char == '\n' || !char.is_control()));
}

#[test]
fn an_empty_report_is_two_lines() {
    assert_eq!(
        CostReport::default().to_string(),
        "$0.00 for 0 calls\n0 input tokens, 0 output tokens\n"
    );
}

#[test]
fn long_tables_are_cut_unless_all_rows_are_requested() {
    let rows = |many: u32| (0..many).map(|row| Row::new(&format!("r{row:02}"))).collect();
    let report = CostReport {
        by_model: rows(21),
        by_day: rows(23),
        budgets: vec![status(); 22],
        ..CostReport::default()
    };
    let text = report.to_string();
    assert!(text.contains("\nr19 ") && !text.contains("\nr20 0"), "{text}");
    let (models, rest) = text.split_once("\nDay ").unwrap();
    assert!(models.ends_with("\n(1 more)\n") && !models.contains("r20"), "{text}");
    assert!(rest.contains("\n(3 more)\nr03 ") && rest.ends_with("\n(2 more)\n"), "{text}");
    assert!(!format!("{report:#}").contains("more)"));
}

#[test]
fn bars_fill_up_exactly_at_the_limit() {
    for (spent, reserved, limit, line) in [
        (0, 0, 500, "[....................]   0 %"),
        (0, 500, 500, "[====================]   0 %"),
        (499, 0, 500, "[###################.]  99 %"),
        (500, 0, 500, "[####################] 100 %"),
        (501, 500, 500, "[####################] 100 %"),
        (900, 0, 0, "[####################] 100 %"),
        (0, 0, 0, "[....................]   0 %"),
        (-5, 0, 500, "[....................]   0 %"),
        (i64::MAX, i64::MAX, 1, "[####################]"),
    ] {
        let cents = Money::cents;
        let (spent, reserved, limit) = (cents(spent), cents(reserved), cents(limit));
        let text = BudgetStatus { spent, reserved, limit, ..status() }.to_string();
        assert!(text.contains(line), "{text}");
    }
}

#[test]
fn utilisation_is_the_share_that_is_spent() {
    assert!((status().utilisation() - 0.52).abs() < 1e-9);
    let nothing = BudgetStatus { limit: Money::ZERO, ..status() };
    assert_eq!(nothing.utilisation(), f64::INFINITY);
    assert_eq!(BudgetStatus { spent: Money::ZERO, ..nothing }.utilisation(), 0.0);
}

#[test]
fn a_report_says_how_many_accounts_it_leaves_out() {
    let report = CostReport { budgets: vec![status()], budgets_left_out: 1_234, ..report() };
    let shown = report.to_string();
    assert!(shown.ends_with("\n! NOT SHOWN: 1,234 accounts used less recently\n"), "{shown}");
}
