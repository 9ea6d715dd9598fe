use onseju_core::{Book, Prices, Side};

fn main() {
    // Dense prices are quicker; `Prices::Any` takes every positive one.
    let mut book = Book::new(Prices::Between { lowest: 49_000, highest: 91_000, tick: 100 });
    let maker = book.limit(Side::Sell, 70_000, 10, |_| {}).expect("a price on the grid, a quantity above 0");
    book.limit(Side::Sell, 70_100, 5, |_| {});

    let mut trades = Vec::new();
    let taker = book.limit(Side::Buy, 70_100, 12, |trade| trades.push(trade)).expect("the same");

    assert_eq!(taker.leaves_qty, 0);
    assert_eq!((trades[0].maker, trades[0].price, trades[0].qty), (maker.id, 70_000, 10));
    assert_eq!((trades[1].price, trades[1].qty), (70_100, 2));
    assert_eq!(book.best(Side::Sell), Some((70_100, 3))); // the price, and what is open there
    assert_eq!(book.depth_at(Side::Sell, 70_100), (3, 1)); // open, and orders
    println!("{} trades, {} order rests", trades.len(), book.open_orders());
}
