//! The field's standard terms as numbers, the same as in `onseju/contract/words.py`.

macro_rules! words {
    ($(#[$meta:meta])* $name:ident { $($(#[$vmeta:meta])* $word:ident = $number:literal),* $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        #[allow(missing_docs)]
        pub enum $name { $($(#[$vmeta])* $word = $number),* }

        impl $name {
            /// The word with this number; none for a number that no word has.
            #[inline]
            #[allow(dead_code)]
            pub const fn from_u8(number: u8) -> Option<Self> {
                match number {
                    $($number => Some(Self::$word),)*
                    _ => None,
                }
            }
        }
    };
}

words! {
    /// The side of an order.
    Side { Buy = 1, Sell = 2 }
}
words! {
    /// What an order is.
    OrderType {
        Limit = 1,
        Market = 2,
        ConditionalLimit = 3,
        BestOpposite = 4,
        BestSame = 5,
        Midpoint = 6,
        StopLimit = 7,
        Stop = 8,
    }
}
words! {
    /// How long an order stands.
    TimeInForce { Day = 1, Ioc = 2, Fok = 3 }
}
words! {
    /// Where an order is in its life.
    OrderStatus { New = 1, PartiallyFilled = 2, Filled = 3, Canceled = 4, Rejected = 5, Expired = 6 }
}
words! {
    /// Whether a fill's order rested, came in, or was in an auction.
    Liquidity { Maker = 1, Taker = 2, Auction = 3 }
}
words! {
    /// An instrument's market phase.
    Phase {
        PreOpen = 1,
        OpeningAuction = 2,
        Continuous = 3,
        ClosingAuction = 4,
        ViAuction = 5,
        Closed = 6,
        Halted = 7,
        AfterHours = 8,
        ResumptionAuction = 9,
        ClosePrice = 10,
        ClosePriceReception = 11,
        PreviousClose = 12,
    }
}
words! {
    /// Where an instrument is listed.
    Board { Kospi = 1, Kosdaq = 2, Konex = 3, Other = 4 }
}
words! {
    /// What an instrument is.
    Security { Stock = 1, Etf = 2, Etn = 3, Elw = 4 }
}
words! {
    /// Whose an account is.
    AccountKind { User = 1, Bot = 2, Venue = 3 }
}
words! {
    /// Keys of the command that sets a rule.
    Rule {
        MarketRemainder = 1,
        SelfTradePrevention = 2,
        CommissionPpm = 3,
        TransactionTaxPpm = 4,
        RuralTaxPpm = 5,
        MaxOrderQty = 6,
        MaxOpenOrders = 7,
        AuctionPricing = 8,
        StopElection = 9,
        SettlementDays = 10,
        MaxQtyByValue = 11,
        ViDynamicPpm = 12,
        ViStaticPpm = 13,
        PreviousPrice = 14,
        ImmediateTypes = 15,
        NewListing = 16,
        LotSize = 17,
        ElwLotSize = 18,
        MaxClientIds = 19,
        TypesOpeningAuction = 34,
        TypesContinuous = 35,
        TypesClosingAuction = 36,
        TypesViAuction = 37,
        TypesAfterHours = 40,
        TypesResumptionAuction = 41,
        TypesClosePrice = 42,
    }
}
words! {
    /// What becomes of a market order's rest.
    MarketRemainder { Cancel = 1, Rest = 2, Float = 3 }
}
words! {
    /// What happens when an account would trade with itself.
    SelfTradePrevention { Off = 1, CancelIncoming = 2, CancelResting = 3, CancelBoth = 4 }
}
words! {
    /// How a call auction finds its price.
    AuctionPricing { Krx = 1, MaxVolume = 2 }
}
words! {
    /// Which of several stop orders wakes first.
    StopElection { Time = 1, Distance = 2, Nearest = 3 }
}

impl Side {
    /// Both, in the order of their numbers.
    pub const BOTH: [Side; 2] = [Side::Buy, Side::Sell];

    /// The other side.
    #[inline]
    pub const fn opposite(self) -> Side {
        match self {
            Side::Buy => Side::Sell,
            Side::Sell => Side::Buy,
        }
    }

    /// 0 for buys, 1 for sells.
    #[inline]
    pub(crate) const fn index(self) -> usize {
        self as usize - 1
    }

    /// −1 for buys, whose best price is the highest; 1 for sells.
    #[inline]
    pub(crate) const fn sign(self) -> i64 {
        match self {
            Side::Buy => -1,
            Side::Sell => 1,
        }
    }

    /// Whether a limit of this side allows a trade at a price.
    #[inline]
    pub(crate) const fn reaches(self, limit: i64, price: i64) -> bool {
        match self {
            Side::Buy => price <= limit,
            Side::Sell => price >= limit,
        }
    }

    /// Of the prices that exist (not 0), the one that goes farthest to trade: a buy's highest, a sell's lowest; else 0.
    pub(crate) fn farthest(self, prices: &[i64]) -> i64 {
        let there = prices.iter().copied().filter(|price| *price != 0);
        match self {
            Side::Buy => there.max(),
            Side::Sell => there.min(),
        }
        .unwrap_or(0)
    }
}

impl OrderType {
    /// The bit of this type in the rules that say what a phase takes.
    #[inline]
    pub(crate) const fn bit(self) -> i64 {
        1 << self as u8
    }

    /// Whether it names a limit price.
    #[inline]
    pub(crate) const fn has_limit(self) -> bool {
        matches!(self, OrderType::Limit | OrderType::ConditionalLimit | OrderType::StopLimit)
    }

    /// Whether it waits for a price outside the book.
    #[inline]
    pub(crate) const fn sleeps(self) -> bool {
        matches!(self, OrderType::StopLimit | OrderType::Stop)
    }

    /// Whether it gets its limit price from the book on receipt (KRX ER 3, 4).
    #[inline]
    pub(crate) const fn is_best(self) -> bool {
        matches!(self, OrderType::BestOpposite | OrderType::BestSame)
    }
}

impl Phase {
    /// Whether orders are collected without matching, until the auction is uncrossed.
    #[inline]
    pub(crate) const fn is_auction(self) -> bool {
        matches!(self, Phase::OpeningAuction | Phase::ClosingAuction | Phase::ViAuction | Phase::ResumptionAuction)
    }

    /// Whether an incoming order trades at once.
    #[inline]
    pub(crate) const fn is_continuous(self) -> bool {
        matches!(self, Phase::Continuous | Phase::AfterHours | Phase::ClosePrice | Phase::PreviousClose)
    }

    /// Whether all orders are at one price, a close (시간외종가, KRX ER 51).
    #[inline]
    pub(crate) const fn is_at_close(self) -> bool {
        matches!(self, Phase::ClosePrice | Phase::ClosePriceReception | Phase::PreviousClose)
    }

    /// Whether it begins only when what an auction collected has been matched: it trades, or lets the orders expire.
    pub(crate) const fn ends_auctions(self) -> bool {
        self.is_continuous() || self.is_at_close()
    }

    /// The off-hours session that the phase belongs to, by its trading phase; none for the regular day. Orders move neither
    /// into such a session nor out of it.
    #[inline]
    pub(crate) const fn off_hours(self) -> Option<Phase> {
        match self {
            Phase::AfterHours => Some(Phase::AfterHours),
            Phase::ClosePrice | Phase::ClosePriceReception => Some(Phase::ClosePrice),
            Phase::PreviousClose => Some(Phase::PreviousClose),
            _ => None,
        }
    }

    /// The rule that says which order types the phase takes; none for a phase that takes none.
    pub(crate) const fn types(self) -> Option<Rule> {
        match self {
            Phase::OpeningAuction => Some(Rule::TypesOpeningAuction),
            Phase::Continuous => Some(Rule::TypesContinuous),
            Phase::ClosingAuction => Some(Rule::TypesClosingAuction),
            Phase::ViAuction => Some(Rule::TypesViAuction),
            Phase::AfterHours => Some(Rule::TypesAfterHours),
            Phase::ResumptionAuction => Some(Rule::TypesResumptionAuction),
            Phase::ClosePrice | Phase::ClosePriceReception | Phase::PreviousClose => Some(Rule::TypesClosePrice),
            Phase::PreOpen | Phase::Closed | Phase::Halted => None,
        }
    }
}
