//! What the tests of costs share.

use tollgate::testing::Loopback;
use tollgate::{Budget, Client, CostConfig, Money, Price, Prices};

use super::builder;

/// $1 per million input tokens and $2 per million output tokens, for both models of
/// `support::builder` and some newer ones.
pub(crate) fn prices() -> Prices {
    let price = Price::per_million(Money::dollars(1), Money::dollars(2)).max_output(1_000);
    Prices::empty()
        .set("openai", "gpt-4o-mini", price.clone())
        .set("openai", "gpt-5", price.clone())
        .set("openai", "gpt-3.5-turbo-instruct", price.clone())
        .set("anthropic", "claude-haiku-4-5", price)
}

pub(crate) fn config(budgets: impl IntoIterator<Item = Budget>) -> CostConfig {
    CostConfig::default().prices(prices()).budgets(budgets)
}

pub(crate) fn client(server: &Loopback, provider: &str, costs: CostConfig) -> Client {
    builder(server, provider).costs(costs).build().expect("a valid configuration")
}

/// A client with a budget, whose model has a large context window and costs $1 per million input
/// tokens and $10 per million output tokens. `priced` is the model as `provider/model` in the price
/// table.
pub(crate) fn limited(server: &Loopback, provider: &str, priced: &str, limit: Money) -> Client {
    let price = Price::per_million(Money::dollars(1), Money::dollars(10))
        .context_window(1_000_000)
        .max_output(1000);
    let (name, model) = priced.split_once('/').expect("provider/model");
    let prices = Prices::builtin().set(name, model, price);
    client(server, provider, CostConfig::default().prices(prices).budget(Budget::total(limit)))
}

/// Enough for any call here.
pub(crate) fn ample() -> Budget {
    Budget::total(Money::dollars(1))
}

pub(crate) fn usd(text: &str) -> Money {
    text.parse().expect("dollars")
}

/// What is spent, once nothing is reserved any more.
pub(crate) fn spent(client: &Client) -> Money {
    let report = client.costs();
    let total: Money = report.budgets.iter().map(|budget| budget.spent).sum();
    assert!(report.budgets.iter().all(|budget| budget.reserved.is_zero()), "{report}");
    assert_eq!((report.unrecorded, report.ledger_error), (0, None));
    total
}
