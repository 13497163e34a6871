//! A new migration file has to be compiled in: the macro that embeds them only watches those it knows.

fn main() {
    println!("cargo::rerun-if-changed=../../../migrations");
}
