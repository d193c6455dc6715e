//! What people write: a map of what was spent, looked at before a call and added to
//! after it.

use parking_lot::Mutex;
use std::collections::HashMap;
use tollgate::cost::Money;

/// How many accounts a call is charged to.
pub const SCOPES: usize = 3;

/// A customer of a program with one budget for all, one for each customer and one
/// for each model.
pub const ACCOUNTS: [&str; SCOPES] = ["daily", "monthly customer=acme", "total model=gpt-4o-mini"];

/// It does not hold: between the look and the sum others look too.
#[derive(Debug, Default)]
pub struct Naive {
    spent: Mutex<HashMap<String, Money>>,
}

impl Naive {
    pub fn bears(&self, accounts: &[&str; SCOPES], most: Money, limit: Money) -> bool {
        let spent = self.spent.lock();
        accounts
            .iter()
            .all(|account| spent.get(*account).copied().unwrap_or(Money::ZERO) + most <= limit)
    }

    pub fn count(&self, accounts: &[&str; SCOPES], cost: Money) {
        let mut spent = self.spent.lock();
        for account in accounts {
            match spent.get_mut(*account) {
                Some(sum) => *sum += cost,
                None => {
                    spent.insert((*account).to_owned(), cost);
                }
            }
        }
    }

    pub fn spent(&self, account: &str) -> Money {
        self.spent.lock().get(account).copied().unwrap_or_default()
    }
}
