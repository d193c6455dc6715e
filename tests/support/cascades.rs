//! What the tests of cascades share.

use tollgate::route::{Route, TargetStep};
use tollgate::{ChatResponse, ClientBuilder, CostConfig, Money, Price, Prices};

use super::routes::{MODELS, Servers, names};

/// A cascade over all servers.
pub(crate) fn cascade() -> Route {
    Route::cascade("all", names())
}

/// A client whose second target costs 3 times as much as the first, and the third 10 times as much.
pub(crate) fn priced(servers: &Servers, route: Route) -> ClientBuilder {
    servers.builder(|_| route.clone()).costs(CostConfig::default().prices(prices()))
}

pub(crate) fn prices() -> Prices {
    let rates = [1, 3, 10];
    MODELS.into_iter().zip(rates).fold(Prices::empty(), |prices, ((provider, model), rate)| {
        let price = Price::per_million(Money::dollars(rate), Money::dollars(2 * rate));
        prices.set(provider, model, price.context_window(100_000).max_output(1_000))
    })
}

/// What an answer with 100 input and 10 output tokens costs at each target, in millionths of a
/// dollar.
pub(crate) fn costs() -> [i64; 3] {
    [120, 360, 1_200]
}

pub(crate) fn usd(millionths: i64) -> Money {
    Money::picos(i128::from(millionths) * 1_000_000)
}

/// Why the answer of each target was not accepted, if it answered.
pub(crate) fn reasons(response: &ChatResponse) -> Vec<Option<String>> {
    let targets = &response.route().expect("a route served it").targets;
    let reason = |step: &TargetStep| match step {
        TargetStep::NotAccepted { reason, .. } => Some(reason.clone()),
        _ => None,
    };
    targets.iter().map(|target| target.steps.iter().find_map(reason)).collect()
}
