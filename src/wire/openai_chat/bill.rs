//! The provider's own cost in a usage report.

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::fmt;

use crate::wire::json::number::Number;
use crate::wire::json::string::LooseString;

/// The member `cost`: a number (OpenRouter, Requesty), or an object whose `total_cost` is the sum
/// (Perplexity, docs.perplexity.ai/api-reference/chat-completions-post). Anything else is none.
#[derive(Debug, Default, Clone, Copy, PartialEq)]
pub(super) struct Bill(pub(super) Number);

impl<'de> Deserialize<'de> for Bill {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Bill;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_u64<E>(self, number: u64) -> Result<Bill, E> {
        Ok(Bill(Number::Whole(number)))
    }

    #[allow(clippy::cast_precision_loss)]
    fn visit_i64<E>(self, number: i64) -> Result<Bill, E> {
        Ok(Bill(Number::Float(number as f64)))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Bill, E> {
        Ok(Bill(Number::Float(number)))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Bill, E> {
        Ok(Bill::default())
    }

    fn visit_unit<E>(self) -> Result<Bill, E> {
        Ok(Bill::default())
    }

    fn visit_str<E>(self, _: &str) -> Result<Bill, E> {
        Ok(Bill::default())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Bill, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Bill::default())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Bill, A::Error> {
        let mut bill = Bill::default();
        while let Some(LooseString(name)) = members.next_key()? {
            match &*name {
                "total_cost" => bill.0 = members.next_value()?,
                _ => {
                    members.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(bill)
    }
}
