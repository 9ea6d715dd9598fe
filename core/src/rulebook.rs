//! The venue's rules as they were set by commands: tick tables, and numbers by rule.

use std::collections::BTreeMap;

use crate::instruments::Listing;
use crate::money::{MAX_AMOUNT, PPM, fits};
use crate::orders::Rates;
use crate::ticks::Bands;
use crate::words::{
    AuctionPricing, MarketRemainder, OrderType, Phase, Rule, Security, SelfTradePrevention, StopElection,
};

/// What every phase that takes orders takes, until a command says otherwise.
const SIMPLE_TYPES: i64 =
    OrderType::Limit.bit() | OrderType::Market.bit() | OrderType::Stop.bit() | OrderType::StopLimit.bit();
const ALL_TYPES: i64 = 0b1_1111_1110;

/// One more than the highest number of a phase.
const PHASES: usize = 13;

/// Values by a rule's number.
pub(crate) type Values = BTreeMap<u32, i64>;

/// Tick tables by number, and the venue's values. Table 0 is there from the start: every positive whole price.
#[derive(Clone, Debug)]
pub(crate) struct RuleBook {
    pub tick_tables: BTreeMap<u32, Bands>,
    pub values: Values,
}

impl Default for RuleBook {
    fn default() -> Self {
        Self { tick_tables: BTreeMap::from([(0, vec![(0, 1)])]), values: Values::new() }
    }
}

/// What holds for one instrument now: its own values, else the venue's, else the defaults.
#[derive(Clone, Debug)]
pub(crate) struct Rules {
    pub market_remainder: MarketRemainder,
    pub self_trade_prevention: SelfTradePrevention,
    pub auction_pricing: AuctionPricing,
    pub stop_election: StopElection,
    pub rates: Rates,
    /// Where the rates are in the orders' table of rates.
    pub rates_number: u32,
    pub max_order_qty: i64,
    pub max_qty_by_value: bool,
    pub immediate_types: i64,
    /// By the phase's number: the types that it takes, as a mask.
    types: [i64; PHASES],
    pub vi_dynamic_ppm: u32,
    pub vi_static_ppm: u32,
    /// Whether this is the first day of its listing.
    pub is_new: bool,
    /// The shares that it is traded in multiples of (KRX rules 2.4): its own, else that of ELWs, else the venue's.
    pub lot: i64,
}

impl Rules {
    /// The types that a phase takes, as a mask; none for a phase that takes none.
    #[inline]
    pub fn types_in(&self, phase: Phase) -> Option<i64> {
        let types = self.types[phase as usize];
        (types >= 0).then_some(types)
    }

    /// Whether market orders that rest do so at a deemed price.
    #[inline]
    pub fn market_orders_float(&self) -> bool {
        self.market_remainder == MarketRemainder::Float
    }
}

impl RuleBook {
    /// What holds for an instrument with these values of its own, that was listed as this.
    pub fn rules(&self, own: &Values, listing: &Listing) -> Rules {
        let value = |rule: Rule, default: i64| {
            let key = u32::from(rule as u8);
            own.get(&key).or_else(|| self.values.get(&key)).copied().unwrap_or(default)
        };
        let word = |rule: Rule, default: u8| value(rule, default.into()) as u8;
        let mut types = [-1; PHASES];
        for (phase, types) in types.iter_mut().enumerate() {
            if let Some(rule) = Phase::from_u8(phase as u8).and_then(Phase::types) {
                let default = if rule == Rule::TypesClosePrice { OrderType::Limit.bit() } else { SIMPLE_TYPES };
                *types = value(rule, default);
            }
        }
        Rules {
            market_remainder: MarketRemainder::from_u8(word(Rule::MarketRemainder, 1))
                .unwrap_or(MarketRemainder::Cancel),
            self_trade_prevention: SelfTradePrevention::from_u8(word(Rule::SelfTradePrevention, 1))
                .unwrap_or(SelfTradePrevention::Off),
            auction_pricing: AuctionPricing::from_u8(word(Rule::AuctionPricing, 2))
                .unwrap_or(AuctionPricing::MaxVolume),
            stop_election: StopElection::from_u8(word(Rule::StopElection, 1)).unwrap_or(StopElection::Time),
            rates: Rates {
                commission: value(Rule::CommissionPpm, 0) as u32,
                transaction_tax: value(Rule::TransactionTaxPpm, 0) as u32,
                rural_tax: value(Rule::RuralTaxPpm, 0) as u32,
            },
            rates_number: 0,
            max_order_qty: value(Rule::MaxOrderQty, 0),
            max_qty_by_value: value(Rule::MaxQtyByValue, 0) != 0,
            immediate_types: value(Rule::ImmediateTypes, SIMPLE_TYPES),
            types,
            vi_dynamic_ppm: value(Rule::ViDynamicPpm, listing.vi_dynamic_ppm.into()) as u32,
            vi_static_ppm: value(Rule::ViStaticPpm, listing.vi_static_ppm.into()) as u32,
            lot: self.lot_size(own, listing.security),
            is_new: own.get(&u32::from(Rule::NewListing as u8)) == Some(&1),
        }
    }

    fn lot_size(&self, own: &Values, security: u8) -> i64 {
        let value = |values: &Values, rule: Rule| values.get(&u32::from(rule as u8)).copied().filter(|lot| *lot != 0);
        let of_elws = || value(&self.values, Rule::ElwLotSize).filter(|_| security == Security::Elw as u8);
        value(own, Rule::LotSize).or_else(of_elws).or_else(|| value(&self.values, Rule::LotSize)).unwrap_or(1)
    }

    /// A rule that only the venue has.
    pub fn venue_value(&self, rule: Rule) -> i64 {
        self.values.get(&u32::from(rule as u8)).copied().unwrap_or(0)
    }

    /// Add a band to a table, or change the one that begins at the same price.
    pub fn set_band(&mut self, table: u32, from_price: i64, tick: i64) {
        let bands = self.tick_tables.entry(table).or_default();
        match bands.binary_search_by_key(&from_price, |band| band.0) {
            Ok(at) => bands[at].1 = tick,
            Err(at) => bands.insert(at, (from_price, tick)),
        }
    }

    /// Whether the table exists and covers every price.
    pub fn is_whole(&self, table: u32) -> bool {
        self.tick_tables.get(&table).is_some_and(|bands| bands.first().is_some_and(|band| band.0 == 0))
    }
}

/// The rule with this number, where it exists and may have this value. `venue_desk.rs` answers for `PreviousPrice` and
/// `NewListing`.
pub(crate) fn rule_with_value(number: u32, value: i64, for_one_instrument: bool) -> Option<Rule> {
    let rule = Rule::from_u8(u8::try_from(number).ok()?)?;
    let word = u8::try_from(value).ok();
    let is_valid = match rule {
        Rule::MaxOpenOrders | Rule::MaxClientIds => !for_one_instrument && fits(value.into()),
        Rule::SettlementDays => !for_one_instrument && (0..=2).contains(&value),
        Rule::MarketRemainder => word.and_then(MarketRemainder::from_u8).is_some(),
        Rule::SelfTradePrevention => word.and_then(SelfTradePrevention::from_u8).is_some(),
        Rule::AuctionPricing => word.and_then(AuctionPricing::from_u8).is_some(),
        Rule::StopElection => word.and_then(StopElection::from_u8).is_some(),
        Rule::MaxQtyByValue => (0..=1).contains(&value),
        Rule::CommissionPpm | Rule::TransactionTaxPpm | Rule::RuralTaxPpm | Rule::ViDynamicPpm | Rule::ViStaticPpm => {
            (0..=PPM).contains(&value)
        }
        Rule::MaxOrderQty => fits(value.into()),
        Rule::LotSize => 0 < value && value <= MAX_AMOUNT,
        Rule::ElwLotSize => !for_one_instrument && fits(value.into()),
        Rule::TypesClosePrice => value == 0 || value == OrderType::Limit.bit(),
        Rule::PreviousPrice | Rule::NewListing => false,
        Rule::ImmediateTypes
        | Rule::TypesOpeningAuction
        | Rule::TypesContinuous
        | Rule::TypesClosingAuction
        | Rule::TypesViAuction
        | Rule::TypesAfterHours
        | Rule::TypesResumptionAuction => value >= 0 && value & !ALL_TYPES == 0,
    };
    is_valid.then_some(rule)
}

/// Whether the rule is the rate of a fee.
pub(crate) fn is_rate(number: u32) -> bool {
    (Rule::CommissionPpm as u32..=Rule::RuralTaxPpm as u32).contains(&number)
}
