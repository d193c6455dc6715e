//! Tests of which calls a budget applies to, and of its accounts.

use super::*;
use crate::error::ErrorKind;

const LIMIT: Money = Money::dollars(10);

fn tags(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

/// What decides which budgets apply to a call, and in which accounts.
#[derive(Debug, Clone, Copy)]
struct Facts<'a> {
    provider: &'a str,
    price_provider: &'a str,
    model: &'a str,
    tags: &'a BTreeMap<String, String>,
}

fn facts(tags: &BTreeMap<String, String>) -> Facts<'_> {
    Facts { provider: "openai", price_provider: "openai", model: "gpt-4o", tags }
}

impl Facts<'_> {
    fn scope(&self) -> Scope {
        let prices = Some(self.price_provider.to_owned());
        Scope::named(self.provider.to_owned(), prices, self.model.to_owned())
    }
}

fn matches(budget: &Budget, facts: &Facts<'_>) -> bool {
    budget.covers(&facts.scope()) && budget.has_tags(&Tags::from(facts.tags))
}

fn account(budget: &Budget, facts: &Facts<'_>) -> Arc<str> {
    budget.account(&budget.account_start(&facts.scope()), &Tags::from(facts.tags))
}

fn charge(budget: &Budget, facts: &Facts<'_>, now: i64) -> Option<Charge> {
    budget.line(&budget.account_start(&facts.scope()), &Tags::from(facts.tags), now)
}

#[test]
fn each_mistake_gets_its_own_sentence() {
    for (budget, sentence) in [
        (Budget::daily(Money::picos(-1)), "the limit is -$0.000000000001; set 0 or more"),
        (Budget::rolling(Duration::ZERO, LIMIT), "the rolling window has zero length"),
        (Budget::daily(LIMIT).alert_at([0, 50]), "the alerts are at [0, 50] percent"),
        (Budget::daily(LIMIT).alert_at([80, 50]), "the alerts are at [80, 50] percent"),
        (Budget::daily(LIMIT).alert_at([50, 50]), "the alerts are at [50, 50] percent"),
        (Budget::daily(LIMIT).name(" "), "the name is empty"),
        (Budget::daily(LIMIT).provider(""), "the provider is empty"),
        (Budget::daily(LIMIT).model(""), "the model is empty"),
        (Budget::daily(LIMIT).tag("", "x"), "a tag has an empty key"),
        (Budget::daily(LIMIT).per_tag(""), "a tag has an empty key"),
        (
            Budget::daily(LIMIT).utc_offset(UtcOffset::hours(24)),
            "the UTC offset +24:00 does not exist",
        ),
    ] {
        let error = budget.check().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration);
        assert!(error.message().starts_with("budget \""), "{error}");
        assert!(error.message().contains(sentence), "{sentence:?} is not in {error}");
    }
    let error = Budget::daily(Money::dollars(-1)).model("").check().unwrap_err();
    assert!(error.message().contains("limit") && error.message().contains("model"), "{error}");
}

#[test]
fn sensible_budgets_are_accepted() {
    for budget in [
        Budget::daily(LIMIT),
        Budget::monthly(Money::ZERO),
        Budget::total(LIMIT).alert_at([]),
        Budget::rolling(Duration::from_nanos(1), LIMIT).soft().alert_at([1, 100, 150]),
        Budget::per_request(LIMIT).tag("customer", "").utc_offset(UtcOffset::hours(14)),
    ] {
        budget.check().unwrap();
    }
}

#[test]
fn a_budget_applies_to_a_call_that_meets_all_its_restrictions() {
    let acme = tags(&[("customer", "acme"), ("team", "a")]);
    let any = || Budget::daily(LIMIT);
    for (budget, expected) in [
        (any(), true),
        (any().provider("openai").model("gpt-4o").tag("customer", "acme").tag("team", "a"), true),
        (any().per_provider().per_model().per_tag("nothing"), true),
        (any().provider("anthropic"), false),
        (any().model("gpt-4"), false),
        (any().model("gpt-4o").dated(), true),
        (any().model("gpt-4").dated(), false),
        (any().tag("customer", "acm"), false),
        (any().tag("customer", "acme").tag("team", "b"), false),
        (any().tag("feature", ""), false),
    ] {
        assert_eq!(matches(&budget, &facts(&acme)), expected, "{budget:?}");
    }
}

#[test]
fn a_dated_budget_applies_to_the_dated_names_too_in_one_account() {
    let none = tags(&[]);
    let plain = Budget::daily(LIMIT).model("gpt-4o");
    let dated = plain.clone().dated();
    for (model, is_plain, is_dated) in [
        ("gpt-4o", true, true),
        ("gpt-4o-2024-11-20", false, true),
        ("GPT-4o@20241120", false, true),
        ("gpt-4o-mini", false, false),
        ("gpt-4o-mini-2024-07-18", false, false),
        ("gpt-4o-20", false, false),
    ] {
        let facts = Facts { model, ..facts(&none) };
        assert_eq!(
            (matches(&plain, &facts), matches(&dated, &facts)),
            (is_plain, is_dated),
            "{model}"
        );
        assert_eq!(dated.label(), "daily [model=gpt-4o dated]");
    }
    assert_ne!(plain.label(), dated.label());
    let stored = serde_json::to_string(&dated).unwrap();
    assert_eq!(serde_json::from_str::<Budget>(&stored).unwrap(), dated);
    assert!(!serde_json::to_string(&plain).unwrap().contains("dated"));
    let error = Budget::daily(LIMIT).dated().check().unwrap_err();
    assert!(error.message().contains("it is dated, but has no model"), "{error}");
}

#[test]
fn account_names_are_readable() {
    let acme = tags(&[("customer", "acme"), ("team", "Team A"), ("model", "x")]);
    let none = tags(&[]);
    let kathmandu = "+05:45".parse().unwrap();
    let all = Budget::monthly(LIMIT).per_tag("team").per_tag("customer").per_model().per_provider();
    for (budget, tags, account) in [
        (Budget::daily(LIMIT), &acme, "daily"),
        (Budget::daily(LIMIT).utc_offset(kathmandu), &acme, "daily+05:45"),
        (Budget::total(LIMIT).utc_offset(kathmandu), &acme, "total"),
        (Budget::daily(LIMIT).per_tag("customer"), &acme, "daily customer=acme"),
        (Budget::daily(LIMIT).per_tag("customer"), &none, "daily customer"),
        (Budget::daily(LIMIT).tag("customer", "acme"), &acme, "daily [customer=acme]"),
        (
            Budget::daily(LIMIT).model("llama3:8b").provider("openai").tag("a", "").per_tag("team"),
            &acme,
            "daily [provider=openai model=llama3:8b a=\"\"] team=\"Team A\"",
        ),
        (all.clone(), &acme, "monthly provider=openai model=gpt-4o customer=acme team=\"Team A\""),
        (
            all.name("Team A"),
            &none,
            "\"Team A\": monthly provider=openai model=gpt-4o customer team",
        ),
        (Budget::total(LIMIT).per_tag("model"), &acme, "total \"model\"=x"),
        (Budget::total(LIMIT).name("free").model("gpt-4o"), &acme, "free: total"),
    ] {
        assert_eq!(&*self::account(&budget, &facts(tags)), account);
    }
    let hour = Duration::from_secs(3_600);
    let budget = Budget::rolling(hour, LIMIT).model("gpt-4o").per_tag("customer");
    assert_eq!(budget.label(), "rolling-1h [model=gpt-4o] customer");
    assert_eq!(budget.name("acme's").label(), "acme's");
}

/// All combinations of a few values that are chosen to be mistaken for one another.
#[test]
fn no_two_combinations_share_an_account() {
    let values = [
        None,
        Some(""),
        Some("a"),
        Some("a b"),
        Some("a=b"),
        Some("a b=a"),
        Some("b"),
        Some("b=a"),
        Some("\""),
        Some("\\"),
        Some("\"a\""),
        Some("a\nb"),
        Some("a\\u{a}b"),
        Some("total"),
        Some("x: total"),
        Some("]"),
        Some("["),
        Some("\u{202e}"),
    ];
    let mut accounts = BTreeMap::new();
    let scopes = [
        Budget::total(LIMIT),
        Budget::total(LIMIT).tag("a", "b"),
        Budget::total(LIMIT).tag("a", "a").tag("b", "a"),
        Budget::total(LIMIT).tag("a", "a b=a"),
        Budget::total(LIMIT).model("a"),
        Budget::total(LIMIT).tag("model", "a"),
        Budget::total(LIMIT).name("total"),
        Budget::total(LIMIT).name("total:"),
        Budget::total(LIMIT).name("x: total"),
        Budget::total(LIMIT).name("x"),
        Budget::total(LIMIT).name("total [a=b]"),
        Budget::daily(LIMIT),
        Budget::daily(LIMIT).utc_offset(UtcOffset::hours(1)),
        Budget::daily(LIMIT).name("total"),
        Budget::rolling(Duration::from_secs(60), LIMIT),
        Budget::rolling(Duration::from_secs(61), LIMIT),
    ];
    for scope in scopes {
        for budget in [
            scope.clone(),
            scope.clone().per_tag("a"),
            scope.clone().per_tag("a").per_tag("b"),
            scope.clone().per_tag("b"),
            scope.clone().per_tag("a b"),
            scope.clone().per_tag("total"),
            scope.clone().per_provider(),
            scope.per_tag("provider"),
        ] {
            for a in values {
                for b in values {
                    let given = [("a", a), ("b", b), ("provider", Some("openai"))];
                    let tags = given.into_iter().filter_map(|(key, value)| Some((key, value?)));
                    let tags =
                        tags.map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
                    let account = account(&budget, &facts(&tags)).to_string();
                    assert!(!account.contains('\n'));
                    // Identifies an account independently of its name.
                    let own = |key: &String| tags.get(key).cloned();
                    let values: Vec<_> = budget.per_tags.iter().map(own).collect();
                    let meaning = (budget.clone(), values);
                    let known = accounts.entry(account).or_insert_with(|| meaning.clone());
                    assert_eq!(*known, meaning);
                }
            }
        }
    }
}

#[test]
fn two_budgets_may_not_share_an_account() {
    let budgets = [
        Budget::daily(LIMIT),
        Budget::daily(LIMIT).per_model(),
        Budget::daily(LIMIT).model("gpt-4o"),
        Budget::monthly(LIMIT).name("team"),
        Budget::daily(LIMIT).name("team"),
    ];
    assert_eq!(Budget::problems_of(&budgets), [""; 0]);
    for (twice, sentence) in [
        (Budget::daily(Money::ZERO).soft(), "share the account \"daily\""),
        (Budget::daily(LIMIT).name("team").model("gpt-4o"), "share the account \"team: daily\""),
    ] {
        let budgets: Vec<_> = budgets.iter().cloned().chain([twice]).collect();
        let problems = Budget::problems_of(&budgets);
        assert!(problems.len() == 1 && problems[0].contains(sentence), "{problems:?}");
    }
    // Per-request budgets have no account.
    let [hard, soft] = [Budget::per_request(LIMIT), Budget::per_request(Money::cents(1)).soft()];
    assert_eq!(Budget::problems_of(&[hard.clone(), soft.clone()]), [""; 0]);
    for one in [hard, soft] {
        let problems = Budget::problems_of(&[one.clone(), one]);
        assert!(problems.len() == 1 && problems[0].contains("both be \"request\""), "{problems:?}");
    }
    let wrong = [Budget::total(Money::picos(-1)), Budget::daily(LIMIT).name("")];
    assert_eq!(Budget::problems_of(&wrong).len(), 2);
}

#[test]
fn a_charge_becomes_the_ledgers_line() {
    let none = tags(&[]);
    let budget = Budget::daily(LIMIT).per_model();
    let made = charge(&budget, &facts(&none), 86_400 + 5).unwrap();
    let line = made.line();
    assert_eq!(line.account, "daily model=gpt-4o");
    assert_eq!((line.from, line.slot, line.until), (86_400, 86_400, 172_800));
    assert_eq!(line.limit, Some(LIMIT));
    let soft = charge(&Budget::daily(LIMIT).soft(), &facts(&none), 0).unwrap();
    assert_eq!(soft.line().limit, None);
    assert_eq!(charge(&Budget::per_request(LIMIT), &facts(&none), 0), None);
}

#[test]
fn an_alert_is_reached_once() {
    let budget = Budget::daily(LIMIT);
    let cents = Money::cents;
    for (before, after, expected) in [
        (cents(0), cents(499), &[][..]),
        (cents(0), cents(500), &[50]),
        (cents(499), Money::picos(5_000_000_000_000), &[50]),
        (cents(500), cents(799), &[]),
        (cents(499), cents(1_000), &[50, 80, 100]),
        (cents(1_000), cents(2_000), &[]),
        (cents(900), cents(100), &[]),
    ] {
        let reached: Vec<_> = budget.reached(before, after).collect();
        assert_eq!(reached, expected, "{before} to {after}");
    }
    let nothing = Budget::daily(Money::ZERO).soft();
    assert_eq!(nothing.reached(Money::ZERO, Money::ZERO).count(), 0);
    assert_eq!(nothing.reached(Money::ZERO, cents(1)).count(), 3);
    assert_eq!(nothing.reached(cents(1), cents(2)).count(), 0);
}

#[test]
fn a_stored_budget_reads_back_unchanged() {
    let hour = Duration::from_secs(3_600);
    for budget in [
        Budget::daily(LIMIT),
        Budget::monthly(LIMIT).utc_offset(UtcOffset::minutes(345)).name("all"),
        Budget::total(LIMIT).provider("openai").model("gpt-4o").tag("customer", "acme").soft(),
        Budget::rolling(hour, LIMIT).per_provider().per_model().per_tag("customer").alert_at([]),
        Budget::per_request(LIMIT).alert_at([100]),
    ] {
        let stored = serde_json::to_string(&budget).unwrap();
        assert_eq!(serde_json::from_str::<Budget>(&stored).unwrap(), budget, "{stored}");
    }
    let read: Budget = serde_json::from_str(r#"{"window":"daily","limit":"10"}"#).unwrap();
    assert_eq!(read, Budget::daily(LIMIT));
    let read = r#"{"window":{"rolling":{"secs":3600,"nanos":0}},"limit":10}"#;
    assert_eq!(serde_json::from_str::<Budget>(read).unwrap(), Budget::rolling(hour, LIMIT));
    for wrong in [
        r#"{"limit":"10"}"#,
        r#"{"window":"daily"}"#,
        r#"{"window":"weekly","limit":"10"}"#,
        r#"{"window":"daily","limit":"10","modle":"gpt-4o"}"#,
        r#"{"window":"daily","limit":"10","utc_offset":"+25:00"}"#,
    ] {
        assert!(serde_json::from_str::<Budget>(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn provider_and_model_names_differing_in_case_share_one_account() {
    let none = BTreeMap::new();
    let of = |provider, model| Facts { provider, price_provider: provider, model, tags: &none };
    let budget = Budget::daily(LIMIT).provider("OpenAI").model("gpt-4o-mini ");
    let split = Budget::daily(LIMIT).per_provider().per_model();
    for call in [of("openai", "gpt-4o-mini"), of(" OpenAI", "GPT-4o-mini")] {
        assert!(matches(&budget, &call));
        assert_eq!(&*account(&split, &call), "daily provider=openai model=gpt-4o-mini");
        assert_eq!(&*account(&budget, &call), "daily [provider=openai model=gpt-4o-mini]");
    }
    assert!(!matches(&budget, &of("openai", "gpt-4o-mini-2024-07-18")));
    let problems = Budget::problems_of(&[budget.clone(), budget.model("GPT-4O-MINI")]);
    assert!(problems[0].contains("share the account"), "{problems:?}");
}

#[test]
fn a_budgets_provider_is_an_id_or_another_name_for_it() {
    let none = BTreeMap::new();
    // The calls: the provider's id, and its name in the price table.
    let gemini = ("gemini", "google");
    let gemini_openai = ("gemini-openai", "google");
    let bedrock = ("my-bedrock", "aws");
    let azure = ("azure", "azure");
    let moonshot = ("moonshot", "moonshotai");
    let moonshot_messages = ("moonshot-anthropic", "moonshotai");
    let gateway = ("my-gateway", "openai");
    let calls = [gemini, gemini_openai, bedrock, azure, moonshot, moonshot_messages, gateway];
    for (name, expected) in [
        // The id.
        ("gemini-openai", &[gemini_openai][..]),
        ("Azure ", &[azure]),
        ("my-gateway", &[gateway]),
        // Another name that the registry has.
        ("google-openai", &[gemini_openai]),
        ("Azure_OpenAI", &[azure]),
        ("kimi", &[moonshot]),
        // Also a name in the price table.
        ("moonshotai", &[moonshot, moonshot_messages]),
        ("google", &[gemini, gemini_openai]),
        // Only a name in the price table.
        ("aws", &[bedrock]),
        // An id, so the same name in the price table does not count.
        ("openai", &[]),
        ("groq", &[]),
    ] {
        let budget = Budget::daily(LIMIT).provider(name);
        for call in calls {
            let (provider, price_provider) = call;
            let facts = Facts { provider, price_provider, model: "m", tags: &none };
            assert_eq!(matches(&budget, &facts), expected.contains(&call), "{name} {call:?}");
        }
    }
}
