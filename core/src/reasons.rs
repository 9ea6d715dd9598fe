//! Why something was refused, canceled or cut off: the state machine's part of `onseju/contract/reasons.py`.

/// A reason's number as it stands in events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
#[allow(missing_docs)]
pub enum Reason {
    None = 0,
    InvalidQty = 1,
    InvalidPrice = 2,
    InvalidStopPrice = 3,
    InvalidSide = 4,
    InvalidOrderType = 5,
    InvalidTimeInForce = 6,
    AmountTooLarge = 7,
    PriceTick = 16,
    PriceLimit = 17,
    QtyLimit = 18,
    MarketClosed = 19,
    Halted = 20,
    OrderTypeNotAllowed = 21,
    SelfTrade = 22,
    NoOppositeQuote = 23,
    AuctionPending = 24,
    NoClose = 25,
    NotAtClose = 26,
    InsufficientCash = 32,
    InsufficientShares = 33,
    TooManyOpenOrders = 34,
    CashNotSettled = 35,
    UnknownSymbol = 48,
    UnknownAccount = 49,
    OrderNotFound = 50,
    OrderDone = 51,
    NothingToCorrect = 52,
    AccountExists = 53,
    SymbolExists = 54,
    VenueNotOpen = 55,
    InvalidCommand = 56,
    ClientOrderIdReused = 64,
    TooManyClientIds = 65,
    IocRemainder = 80,
    FokKilled = 81,
    MarketRemainder = 82,
    CashRanOut = 83,
    DayEnded = 84,
    CorrectedToZero = 85,
    MarketSessionEnded = 86,
    MidpointVoid = 87,
    ViDynamic = 96,
    ViStatic = 97,
    CircuitBreaker = 98,
}

/// A check's answer: the first reason found against it.
pub(crate) type Checked<T = ()> = Result<T, Reason>;
