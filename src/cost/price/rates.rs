//! `Rates`: the price of each kind of token, and what a usage costs.

use super::{Cost, Money};
use crate::usage::Usage;

/// What tokens, requests and searches cost at one time, in one tier. In whole pico-dollars each:
/// a dollar per million tokens is 10⁶ pico-dollars per token.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Rates {
    pub(super) input: u64,
    pub(super) output: u64,
    /// Default: `input`.
    pub(super) cached_input: Option<u64>,
    /// Default: `input`.
    pub(super) cache_write: Option<u64>,
    /// Default: `cache_write`.
    pub(super) cache_write_1h: Option<u64>,
    /// Default: `output`.
    pub(super) reasoning: Option<u64>,
    pub(super) input_audio: Option<u64>,
    pub(super) output_audio: Option<u64>,
    pub(super) input_image: Option<u64>,
    pub(super) output_image: Option<u64>,
    pub(super) request: u64,
    pub(super) web_search: u64,
}

/// What is left of a count of tokens. Takes parts off it, never more than there are.
struct Rest(u64);

impl Rest {
    fn take(&mut self, part: u64) -> u64 {
        let part = part.min(self.0);
        self.0 -= part;
        part
    }

    /// Takes and prices a part that has its own rate. Without a rate it stays in the rest.
    fn priced(&mut self, part: u64, rate: Option<u64>) -> Money {
        rate.map_or(Money::ZERO, |rate| times(rate, self.take(part)))
    }
}

impl Rates {
    pub(super) fn cache_write(&self) -> u64 {
        self.cache_write.unwrap_or(self.input)
    }

    pub(super) fn cache_write_1h(&self) -> u64 {
        self.cache_write_1h.unwrap_or_else(|| self.cache_write())
    }

    /// The rates with `percent` of each price for tokens, rounded up.
    pub(super) fn scaled(&self, percent: u8) -> Self {
        let part = |rate: u64| {
            let scaled = (u128::from(rate) * u128::from(percent)).div_ceil(100);
            u64::try_from(scaled).unwrap_or(u64::MAX)
        };
        Self {
            input: part(self.input),
            output: part(self.output),
            cached_input: self.cached_input.map(part),
            cache_write: self.cache_write.map(part),
            cache_write_1h: self.cache_write_1h.map(part),
            reasoning: self.reasoning.map(part),
            input_audio: self.input_audio.map(part),
            output_audio: self.output_audio.map(part),
            input_image: self.input_image.map(part),
            output_image: self.output_image.map(part),
            request: self.request,
            web_search: self.web_search,
        }
    }

    /// Prices a usage. Parts that together exceed the whole are cut, the later ones in this
    /// function first: providers count cached tokens most reliably.
    pub(super) fn cost(&self, usage: &Usage) -> Cost {
        let mut prompt = Rest(usage.prompt_tokens);
        let cached = prompt.take(usage.cached_tokens);
        let mut written = Rest(prompt.take(usage.cache_write_tokens));
        let for_an_hour = written.take(usage.cache_write_1h_tokens);
        let input_media = prompt.priced(usage.prompt_audio_tokens, self.input_audio)
            + prompt.priced(usage.prompt_image_tokens, self.input_image);
        let mut completion = Rest(usage.completion_tokens);
        let reasoning = completion.priced(usage.reasoning_tokens, self.reasoning);
        let output_media = completion.priced(usage.completion_audio_tokens, self.output_audio)
            + completion.priced(usage.completion_image_tokens, self.output_image);
        let mut cost = Cost {
            input: times(self.input, prompt.0),
            cached_input: times(self.cached_input.unwrap_or(self.input), cached),
            cache_write: times(self.cache_write(), written.0)
                + times(self.cache_write_1h(), for_an_hour),
            input_media,
            output: times(self.output, completion.0),
            reasoning,
            output_media,
            web_searches: times(self.web_search, usage.web_searches),
            request: times(self.request, 1),
            ..Cost::default()
        };
        cost.total = cost.items();
        cost
    }
}

/// `count` tokens or pieces at `rate`.
pub(super) fn times(rate: u64, count: u64) -> Money {
    Money::picos(i128::from(rate)) * count
}

/// The rate of one token, rounded to whole pico-dollars, half up. Negative prices give 0.
pub(super) fn per_token(per_million: Money) -> u64 {
    let picos = per_million.as_picos().max(0);
    let rounded = picos / TOKENS + i128::from(picos % TOKENS >= TOKENS / 2);
    u64::try_from(rounded).unwrap_or(u64::MAX)
}

/// The price of a million tokens.
pub(super) fn per_million(rate: u64) -> Money {
    Money::picos(i128::from(rate) * TOKENS)
}

/// The rate of one piece. Negative prices give 0.
pub(super) fn per_piece(price: Money) -> u64 {
    u64::try_from(price.as_picos().max(0)).unwrap_or(u64::MAX)
}

const TOKENS: i128 = 1_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn rates() -> Rates {
        Rates { input: 1_000, output: 10_000, ..Rates::default() }
    }

    fn usage() -> Usage {
        Usage {
            cached_tokens: 40,
            cache_write_tokens: 30,
            cache_write_1h_tokens: 10,
            prompt_audio_tokens: 8,
            prompt_image_tokens: 2,
            reasoning_tokens: 20,
            completion_audio_tokens: 5,
            completion_image_tokens: 3,
            web_searches: 2,
            ..Usage::reported(100, 50)
        }
    }

    #[test]
    fn a_missing_rate_defaults_to_the_plain_one_but_zero_is_free() {
        let plain = rates().cost(&usage());
        assert_eq!(plain.total, Money::picos(100 * 1_000 + 50 * 10_000));
        assert_eq!(plain.cached_input, Money::picos(40_000));
        assert_eq!((plain.reasoning, plain.output_media), (Money::ZERO, Money::ZERO));
        let free = Rates { cached_input: Some(0), reasoning: Some(0), ..rates() };
        assert_eq!(free.cost(&usage()).total, Money::picos(60 * 1_000 + 30 * 10_000));
        let written = Rates { cache_write: Some(1_250), ..rates() };
        assert_eq!(written.cost(&usage()).cache_write, Money::picos(30 * 1_250));
    }

    #[test]
    fn every_part_is_priced_once() {
        let rates = Rates {
            cached_input: Some(100),
            cache_write: Some(1_250),
            cache_write_1h: Some(2_000),
            reasoning: Some(20_000),
            input_audio: Some(3_000),
            output_audio: Some(30_000),
            input_image: Some(4_000),
            output_image: Some(40_000),
            request: 7,
            web_search: 11,
            ..rates()
        };
        let cost = rates.cost(&usage());
        assert_eq!(cost.input, Money::picos((100 - 40 - 30 - 8 - 2) * 1_000));
        assert_eq!(cost.cached_input, Money::picos(40 * 100));
        assert_eq!(cost.cache_write, Money::picos(20 * 1_250 + 10 * 2_000));
        assert_eq!(cost.input_media, Money::picos(8 * 3_000 + 2 * 4_000));
        assert_eq!(cost.output, Money::picos((50 - 20 - 5 - 3) * 10_000));
        assert_eq!(cost.reasoning, Money::picos(20 * 20_000));
        assert_eq!(cost.output_media, Money::picos(5 * 30_000 + 3 * 40_000));
        assert_eq!(cost.web_searches, Money::picos(22));
        assert_eq!(cost.request, Money::picos(7));
        assert_eq!(cost.total, cost.items());
    }

    #[test]
    fn parts_beyond_the_whole_are_cut() {
        let rates = Rates { cached_input: Some(100), input_audio: Some(9_000), ..rates() };
        let usage = Usage {
            cached_tokens: 70,
            prompt_audio_tokens: 60,
            cache_write_tokens: 10,
            cache_write_1h_tokens: 99,
            reasoning_tokens: u64::MAX,
            ..Usage::reported(100, 0)
        };
        let cost = rates.cost(&usage);
        assert_eq!(cost.total, Money::picos(70 * 100 + 10 * 1_000 + 20 * 9_000));
        let all = Usage { cached_tokens: u64::MAX, ..Usage::reported(5, 0) };
        assert_eq!(rates.cost(&all).total, Money::picos(500));
    }

    #[test]
    fn amounts_beyond_the_range_saturate() {
        let expensive = Rates { input: u64::MAX, output: u64::MAX, ..Rates::default() };
        assert_eq!(expensive.cost(&Usage::reported(u64::MAX, u64::MAX)).total, Money::MAX);
    }

    #[test]
    fn rates_are_whole_pico_dollars() {
        for (text, rate) in
            [("2.50", 2_500_000), ("0.0000005", 1), ("0.00000049", 0), ("-1", 0), ("0", 0)]
        {
            assert_eq!(per_token(text.parse().unwrap()), rate, "{text}");
        }
        assert_eq!(per_token(Money::MAX), u64::MAX);
        assert_eq!(per_million(2_500_000), "2.50".parse().unwrap());
        assert_eq!(per_piece("0.01".parse().unwrap()), 10_000_000_000);
    }
}
