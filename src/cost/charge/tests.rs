//! Tests of what an ended call is charged.

use super::*;
use std::time::Duration;

const AT: SystemTime = SystemTime::UNIX_EPOCH;

/// One pico-dollar per input token, a thousand per output token.
fn price() -> Price {
    Price::per_million(Money::picos(1_000_000), Money::picos(1_000_000_000))
}

fn bound() -> UpperBound {
    UpperBound { input_tokens: 400, output_tokens: 50, ..UpperBound::default() }
}

fn terms<'a>(
    price: Option<&'a Price>,
    bound: &'a UpperBound,
    unreported: UnreportedUsage,
) -> Terms<'a> {
    Terms {
        price,
        bound,
        stated: (true, true),
        reserved: Money::picos(50_400),
        expected_input: 100,
        asked_tier: None,
        served_tier: None,
        at: AT,
        unreported,
        trust_reported: false,
    }
}

fn usage(source: UsageSource, input: u64, output: u64) -> Usage {
    Usage { source, ..Usage::reported(input, output) }
}

#[test]
fn an_answer_is_charged_by_what_its_usage_reports() {
    use {CostSource as By, UnreportedUsage as Rule, UsageSource as Known};
    let (price, bound) = (price(), bound());
    // The charged tokens, by rule and usage.
    for (rule, known, (input, output), (charged_input, charged_output), source) in [
        // Reported tokens are charged under any rule, even beyond the bound.
        (Rule::Reserved, Known::Reported, (90, 9), (90, 9), By::Priced),
        (Rule::Estimate, Known::Reported, (90, 9), (90, 9), By::Priced),
        (Rule::Nothing, Known::Reported, (90, 9), (90, 9), By::Priced),
        (Rule::Reserved, Known::Reported, (900, 90), (900, 90), By::Priced),
        // Unreported tokens are charged at the bound, whatever arrived.
        (Rule::Reserved, Known::EstimatedOutput, (90, 9), (90, 50), By::Bound),
        (Rule::Reserved, Known::EstimatedOutput, (90, 0), (90, 50), By::Bound),
        (Rule::Reserved, Known::EstimatedOutput, (90, 70), (90, 70), By::Bound),
        (Rule::Reserved, Known::EstimatedInput, (90, 9), (400, 9), By::Bound),
        (Rule::Reserved, Known::EstimatedInput, (500, 90), (500, 90), By::Bound),
        (Rule::Reserved, Known::Estimated, (90, 9), (400, 50), By::Bound),
        (Rule::Reserved, Known::Estimated, (500, 9), (500, 50), By::Bound),
        (Rule::Reserved, Known::Missing, (0, 0), (400, 50), By::Bound),
        // One token per byte that arrived, but no more than the bound allows.
        (Rule::Received, Known::EstimatedOutput, (90, 9), (90, 36), By::Bound),
        (Rule::Received, Known::EstimatedOutput, (90, 20), (90, 50), By::Bound),
        (Rule::Received, Known::EstimatedOutput, (90, 70), (90, 70), By::Bound),
        (Rule::Received, Known::EstimatedOutput, (90, 0), (90, 0), By::Bound),
        (Rule::Received, Known::EstimatedInput, (90, 9), (400, 9), By::Bound),
        (Rule::Received, Known::Estimated, (90, 9), (400, 36), By::Bound),
        (Rule::Received, Known::Estimated, (500, 9), (500, 36), By::Bound),
        (Rule::Received, Known::Missing, (0, 0), (400, 50), By::Bound),
        (Rule::Estimate, Known::EstimatedOutput, (90, 9), (90, 9), By::Estimated),
        (Rule::Estimate, Known::EstimatedInput, (90, 9), (90, 9), By::Estimated),
        (Rule::Estimate, Known::Estimated, (90, 9), (90, 9), By::Estimated),
        (Rule::Estimate, Known::Missing, (0, 0), (100, 0), By::Estimated),
        (Rule::Nothing, Known::EstimatedOutput, (90, 9), (90, 0), By::Estimated),
        (Rule::Nothing, Known::EstimatedInput, (90, 9), (0, 9), By::Estimated),
        (Rule::Nothing, Known::Estimated, (90, 9), (0, 0), By::Estimated),
        (Rule::Nothing, Known::Missing, (0, 0), (0, 0), By::Estimated),
        // Usage of another model, which may be more expensive.
        (Rule::Reserved, Known::OtherModel, (90, 9), (90, 36), By::Bound),
        (Rule::Reserved, Known::OtherModel, (90, 20), (90, 50), By::Bound),
        (Rule::Received, Known::OtherModel, (90, 70), (90, 70), By::Bound),
        (Rule::Estimate, Known::OtherModel, (90, 9), (90, 9), By::Estimated),
        (Rule::Nothing, Known::OtherModel, (90, 9), (90, 9), By::Estimated),
        // Saturates.
        (Rule::Reserved, Known::Estimated, (0, u64::MAX), (400, u64::MAX), By::Bound),
        (Rule::Received, Known::Estimated, (0, u64::MAX), (400, u64::MAX), By::Bound),
    ] {
        let case = format!("{rule:?} {known:?} {input} {output}");
        let terms = terms(Some(&price), &bound, rule);
        let usage = usage(known, input, output);
        let cost = terms.answered(&usage, CallOutcome::Broken).unwrap();
        let charged = terms.charged(&usage);
        assert_eq!(
            (charged.prompt_tokens, charged.completion_tokens),
            (charged_input, charged_output)
        );
        let expected = price.cost(&Usage::reported(charged_input, charged_output), None, AT);
        assert_eq!(cost, Cost { source, ..expected }, "{case}");
    }
}

#[test]
fn a_call_without_an_answer_is_charged_by_the_rule() {
    let (price, bound) = (price(), bound());
    for (rule, reserved, total, source) in [
        // All that was reserved, even if the tokens come to less.
        (UnreportedUsage::Reserved, 60_000, 60_000, CostSource::Bound),
        (UnreportedUsage::Reserved, 0, 400 + 50_000, CostSource::Bound),
        (UnreportedUsage::Received, 60_000, 60_000, CostSource::Bound),
        (UnreportedUsage::Estimate, 60_000, 100, CostSource::Estimated),
        (UnreportedUsage::Nothing, 60_000, 0, CostSource::Estimated),
    ] {
        let terms = Terms { reserved: Money::picos(reserved), ..terms(Some(&price), &bound, rule) };
        let cost = terms.unanswered().unwrap();
        assert_eq!((cost.total, cost.source), (Money::picos(total), source), "{rule:?}");
        assert_eq!(Terms { price: None, ..terms }.unanswered(), None);
    }
}

#[test]
fn the_providers_bill_counts_if_trusted_or_if_there_is_no_price() {
    let (price, bound) = (price(), bound());
    let of = |price: Option<&Price>, trust_reported, bill: Option<i128>| {
        let terms = Terms { trust_reported, ..terms(price, &bound, UnreportedUsage::Reserved) };
        let reported_cost = bill.map(Money::picos);
        terms
            .answered(&Usage { reported_cost, ..Usage::reported(100, 1) }, CallOutcome::Answered)
            .map(|cost| (cost.total.as_picos(), cost.items().as_picos(), cost.source))
    };
    let priced = Some((1_100, 1_100, CostSource::Priced));
    assert_eq!(of(Some(&price), false, None), priced);
    assert_eq!(of(Some(&price), false, Some(7)), priced);
    assert_eq!(of(Some(&price), true, None), priced);
    assert_eq!(of(Some(&price), true, Some(7)), Some((7, 1_100, CostSource::Reported)));
    assert_eq!(of(Some(&price), true, Some(0)), Some((0, 1_100, CostSource::Reported)));
    assert_eq!(of(None, false, Some(7)), Some((7, 0, CostSource::Reported)));
    assert_eq!(of(None, true, Some(7)), Some((7, 0, CostSource::Reported)));
    assert_eq!(of(None, true, None), None);
    // A negative bill is ignored.
    assert_eq!(of(Some(&price), true, Some(-7)), priced);
    assert_eq!(of(None, true, Some(-7)), None);
}

#[test]
fn the_served_tier_and_the_start_of_the_call_decide_the_price() {
    let bound = bound();
    let later = AT + Duration::from_secs(10 * 86_400);
    let price = price()
        .service_tier("priority", Price::per_million(Money::picos(3_000_000), Money::ZERO))
        .since(later, Price::per_million(Money::picos(7_000_000), Money::ZERO));
    let base = terms(Some(&price), &bound, UnreportedUsage::Reserved);
    let of = |terms: Terms<'_>| {
        let usage = Usage::reported(10, 0);
        terms.answered(&usage, CallOutcome::Answered).unwrap().total.as_picos()
    };
    assert_eq!(of(base), 10);
    assert_eq!(of(Terms { asked_tier: Some("priority"), ..base }), 30);
    assert_eq!(of(Terms { served_tier: Some("priority"), ..base }), 30);
    assert_eq!(
        of(Terms { asked_tier: Some("priority"), served_tier: Some("default"), ..base }),
        10
    );
    assert_eq!(of(Terms { at: later, ..base }), 70);
}

#[test]
fn unreported_tokens_are_charged_at_the_highest_rate_that_may_apply() {
    // A priority tier at three times the price, and audio at ten times that of text.
    let expensive = Price::per_million(Money::picos(3_000_000), Money::picos(3_000_000_000));
    let price = price()
        .cached_input(Money::ZERO)
        .output_audio(Money::picos(10_000_000_000))
        .web_search(Money::picos(7))
        .service_tier("priority", expensive);
    let bound = UpperBound { output_audio: true, ..bound() };
    let of = |source, served_tier, bound: &UpperBound| {
        let terms = Terms {
            served_tier,
            reserved: Money::ZERO,
            ..terms(Some(&price), bound, UnreportedUsage::Reserved)
        };
        let usage = Usage { cached_tokens: 80, ..usage(source, 90, 9) };
        terms.answered(&usage, CallOutcome::Broken).unwrap().total.as_picos()
    };
    let standard = Some("default");
    // The input as reported, 80 of it cached, and 50 tokens of audio.
    assert_eq!(of(UsageSource::EstimatedOutput, standard, &bound), 10 + 500_000);
    let text = UpperBound { output_audio: false, ..bound };
    assert_eq!(of(UsageSource::EstimatedOutput, standard, &text), 10 + 50_000);
    assert_eq!(of(UsageSource::EstimatedOutput, Some("priority"), &text), 270 + 150_000);
    // No tier was requested, and none is known yet.
    assert_eq!(of(UsageSource::EstimatedOutput, None, &text), 270 + 150_000);
    assert_eq!(of(UsageSource::EstimatedInput, standard, &text), 400 + 9_000);
    assert_eq!(of(UsageSource::EstimatedInput, None, &text), 1_200 + 27_000);
    assert_eq!(of(UsageSource::Estimated, None, &text), 1_200 + 150_000);
    // Searches that are not counted yet, whose results become input.
    let searching = UpperBound { web_searches: 2, ..text };
    assert_eq!(of(UsageSource::EstimatedOutput, standard, &searching), 400 + 50_000 + 14);
}

#[test]
fn input_that_may_have_grown_after_its_report_is_charged_at_its_bound() {
    let price = price();
    for (runs_tools, web_searches, input) in [(false, 0, 90), (true, 0, 400), (false, 1, 400)] {
        let bound = UpperBound { runs_tools, web_searches, ..bound() };
        let terms = terms(Some(&price), &bound, UnreportedUsage::Reserved);
        let early = terms.charged(&usage(UsageSource::EstimatedOutput, 90, 1));
        assert_eq!((early.prompt_tokens, early.web_searches), (input, web_searches));
        let last = terms.charged(&usage(UsageSource::Reported, 90, 1));
        assert_eq!((last.prompt_tokens, last.web_searches), (90, 0));
        // The report that counts the output includes the searches.
        let last = terms.charged(&usage(UsageSource::EstimatedInput, 90, 1));
        assert_eq!((last.prompt_tokens, last.web_searches), (400, 0));
        for unreported in [UnreportedUsage::Estimate, UnreportedUsage::Nothing] {
            let terms = Terms { unreported, ..terms };
            let early = terms.charged(&usage(UsageSource::EstimatedOutput, 90, 1));
            assert_eq!((early.prompt_tokens, early.web_searches), (90, 0), "{unreported:?}");
        }
    }
}

#[test]
fn a_plan_without_limits_bounds_nothing() {
    let price = price();
    for (stated, (input, output), source) in [
        ((true, true), (400, 50), CostSource::Bound),
        ((true, false), (400, 9), CostSource::Estimated),
        ((false, true), (90, 50), CostSource::Estimated),
        ((false, false), (90, 9), CostSource::Estimated),
    ] {
        let bound = UpperBound {
            input_tokens: if stated.0 { 400 } else { 0 },
            output_tokens: if stated.1 { 50 } else { 0 },
            ..UpperBound::default()
        };
        let terms = Terms { stated, ..terms(Some(&price), &bound, UnreportedUsage::Reserved) };
        let usage = usage(UsageSource::Estimated, 90, 9);
        let charged = terms.charged(&usage);
        assert_eq!((charged.prompt_tokens, charged.completion_tokens), (input, output));
        let cost = terms.answered(&usage, CallOutcome::Broken).unwrap();
        assert_eq!(cost.source, source, "{stated:?}");
    }
}

#[test]
fn a_bill_in_the_middle_of_a_stream_is_not_final() {
    let (price, bound) = (price(), bound());
    let terms =
        Terms { trust_reported: true, ..terms(Some(&price), &bound, UnreportedUsage::Reserved) };
    let most = 50_400;
    for (source, bill, outcome, total) in [
        (UsageSource::Reported, 7, CallOutcome::Answered, 7),
        (UsageSource::Reported, 0, CallOutcome::Answered, 0),
        (UsageSource::Reported, 7, CallOutcome::Broken, 7),
        (UsageSource::EstimatedOutput, 7, CallOutcome::Broken, 90 + 50_000),
        (UsageSource::EstimatedOutput, 90_000, CallOutcome::Broken, 90_000),
        // For a complete answer it is final, unless it is zero.
        (UsageSource::Estimated, 7, CallOutcome::Answered, 7),
        (UsageSource::Estimated, 0, CallOutcome::Answered, most),
        (UsageSource::Estimated, 7, CallOutcome::Broken, most),
    ] {
        let reported_cost = Some(Money::picos(bill));
        let usage = Usage { reported_cost, ..usage(source, 90, 9) };
        let cost = terms.answered(&usage, outcome).unwrap();
        assert_eq!(cost.total, Money::picos(total), "{source:?} {bill} {outcome}");
    }
}

#[test]
fn a_call_that_was_never_sent_is_not_billed() {
    for phase in [Phase::Encode, Phase::PoolWait, Phase::Resolve, Phase::Connect, Phase::Tls] {
        for kind in
            [ErrorKind::Timeout, ErrorKind::Cancelled, ErrorKind::Connection, ErrorKind::Tls]
        {
            let error = Error::new(kind, "").with_phase(phase);
            assert!(!may_be_billed(&error), "{kind} {phase:?}");
        }
    }
    for kind in [ErrorKind::Timeout, ErrorKind::Connection] {
        assert!(!may_be_billed(&Error::new(kind, "").with_phase(Phase::Send)), "{kind}");
    }
    assert!(may_be_billed(&Error::cancelled().with_phase(Phase::Send)), "after the last byte?");
    for kind in [ErrorKind::InvalidRequest, ErrorKind::Configuration] {
        assert!(!may_be_billed(&Error::new(kind, "")), "{kind}");
    }
}

#[test]
fn a_call_that_was_sent_and_lost_may_be_billed() {
    for phase in [Phase::FirstByte, Phase::Body, Phase::FirstToken, Phase::NextToken] {
        for kind in [
            ErrorKind::Timeout,
            ErrorKind::Cancelled,
            ErrorKind::Connection,
            ErrorKind::Truncated,
            ErrorKind::Protocol,
        ] {
            let error = Error::new(kind, "").with_phase(phase);
            assert!(may_be_billed(&error), "{kind} {phase:?}");
            assert!(may_be_billed(&error.with_status(200)), "{kind} {phase:?}, begun");
        }
    }
}

#[test]
fn error_responses_are_not_billed_except_those_of_gateways() {
    for status in
        [300, 302, 400, 401, 402, 403, 404, 409, 413, 422, 429, 498, 499, 500, 501, 503, 521, 529]
    {
        for kind in [ErrorKind::Server, ErrorKind::InvalidRequest, ErrorKind::Protocol] {
            let error = Error::new(kind, "").with_status(status);
            assert!(!may_be_billed(&error), "{kind} {status}");
        }
    }
    for status in [408, 502, 504, 520, 524] {
        for kind in [ErrorKind::Server, ErrorKind::Timeout, ErrorKind::Protocol] {
            let error = Error::new(kind, "").with_status(status);
            assert!(may_be_billed(&error), "{kind} {status}");
        }
    }
}

#[test]
fn an_error_with_a_success_status_is_not_billed_but_an_undecodable_answer_is() {
    for (kind, billed) in [
        (ErrorKind::InvalidRequest, false),
        (ErrorKind::Authentication, false),
        (ErrorKind::Permission, false),
        (ErrorKind::NotFound, false),
        (ErrorKind::RateLimited, false),
        (ErrorKind::QuotaExhausted, false),
        (ErrorKind::ContextWindowExceeded, false),
        (ErrorKind::ContentPolicy, false),
        (ErrorKind::Server, false),
        (ErrorKind::Overloaded, false),
        (ErrorKind::Timeout, true),
        (ErrorKind::Connection, true),
        (ErrorKind::Protocol, true),
        (ErrorKind::Truncated, true),
        (ErrorKind::Cancelled, true),
        (ErrorKind::BudgetExceeded, true),
    ] {
        assert_eq!(may_be_billed(&Error::new(kind, "").with_status(200)), billed, "{kind}");
    }
}
