//! The README's example is the one that is compiled here, and it does what it says.

mod example {
    include!("readme/bare_book.rs");

    #[test]
    fn runs() {
        main();
    }
}

#[test]
fn the_readme_shows_the_example_as_it_is() {
    let readme = include_str!("../README.md");
    assert!(readme.contains(&format!("```rust\n{}```\n", include_str!("readme/bare_book.rs"))));
}
