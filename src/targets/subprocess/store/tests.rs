//! Claims about stored output: what was written is read, at its offset, and no more is kept than
//! was said.

use proptest::prelude::*;

use super::*;

const SMALL: Bounds = Bounds { segment_bytes: 32, segments: 2 };

fn read(output: &Path, from: u64) -> Vec<(u64, String)> {
    let mut reader = Reader::new(output, "b", from);
    let mut lines = Vec::new();
    while let Some(stretch) = reader.more().expect("it can be read") {
        let mut offset = stretch.offset;
        for line in String::from_utf8(stretch.bytes).expect("text").split_inclusive('\n') {
            lines.push((offset, line.trim_end().to_owned()));
            offset += line.len() as u64;
        }
    }
    lines
}

fn texts(output: &Path, from: u64) -> Vec<String> {
    read(output, from).into_iter().map(|(_, line)| line).collect()
}

#[test]
fn lines_are_read_at_the_offsets_that_they_were_given() {
    let output = tempfile::tempdir().expect("a directory");
    let mut store = Store::open(output.path(), "b", Bounds::default());
    assert_eq!(store.append(["one", "", "three"]), [0, 4, 5]);
    drop(store);
    let mut store = Store::open(output.path(), "b", Bounds::default());
    assert_eq!(store.end(), 11);
    assert_eq!(store.append(["four"]), [11]);
    store.sync();
    assert_eq!(texts(output.path(), 0), ["one", "", "three", "four"]);
    assert_eq!(texts(output.path(), 5), ["three", "four"]);
    assert_eq!(texts(output.path(), 6), ["four"], "inside of a line: from the next one on");
    assert_eq!(texts(output.path(), 16), [""; 0]);
    assert_eq!(texts(output.path(), 99), [""; 0]);
}

#[test]
fn only_the_newest_segments_are_kept_and_offsets_go_on() {
    let output = tempfile::tempdir().expect("a directory");
    let mut store = Store::open(output.path(), "b", SMALL);
    for n in 0..100 {
        assert_eq!(store.append([format!("line {n:04}").as_str()]), [n * 10]);
    }
    let kept = read(output.path(), 0);
    assert_eq!(kept.last(), Some(&(990, "line 0099".to_owned())));
    assert!(kept.len() <= 8 && kept.len() > 4, "two segments of four lines each: {kept:?}");
    assert_eq!(segments(&place(output.path(), "b")).expect("readable").len(), 2);
    let mut store = Store::open(output.path(), "b", SMALL);
    assert_eq!(store.append(["more"]), [1000]);
}

#[test]
fn a_torn_last_line_is_cut_when_the_store_is_opened_again() {
    let output = tempfile::tempdir().expect("a directory");
    Store::open(output.path(), "b", Bounds::default()).append(["whole"]);
    let path = place(output.path(), "b").join(file_name(0));
    let torn = "x".repeat(200_000);
    fs::write(&path, format!("whole\n{torn}")).expect("writable");
    assert_eq!(texts(output.path(), 0), ["whole"], "and nobody reads it before");
    let mut store = Store::open(output.path(), "b", Bounds::default());
    assert_eq!(store.append(["next"]), [6]);
    assert_eq!(texts(output.path(), 0), ["whole", "next"]);
    fs::write(&path, torn).expect("writable");
    let mut store = Store::open(output.path(), "b", Bounds::default());
    assert_eq!(store.append(["again"]), [0]);
    assert_eq!(texts(output.path(), 0), ["again"]);
}

#[test]
fn a_disk_that_takes_nothing_costs_lines_and_no_turn() {
    let output = tempfile::tempdir().expect("a directory");
    let mut store = Store::open(output.path(), "b", SMALL);
    store.append(["kept"]);
    // A file where the directory should be.
    let directory = place(output.path(), "b");
    let aside = output.path().join("aside");
    fs::rename(&directory, &aside).expect("movable");
    fs::write(&directory, "").expect("writable");
    store.open = None;
    assert_eq!(store.append(["lost"]), [5]);
    assert!(store.warned);
    fs::remove_file(&directory).expect("removable");
    fs::rename(&aside, &directory).expect("movable");
    assert_eq!(store.append(["kept again"]), [10]);
    let expected = [(0, "kept".to_owned()), (10, "kept again".to_owned())];
    assert_eq!(read(output.path(), 0), expected, "there is a gap, and no offset is given twice");
}

#[test]
fn every_block_has_a_place_of_its_own_whatever_its_name() {
    let output = Path::new("/output");
    let names = ["b", "B", "..", "a/b", "a-b", "", "é", &"x".repeat(256), &"x".repeat(255)];
    let places: std::collections::BTreeSet<_> = names.iter().map(|n| place(output, n)).collect();
    assert_eq!(places.len(), names.len());
    for place in places {
        assert_eq!(place.parent(), Some(output));
        let name = place.file_name().and_then(|name| name.to_str()).expect("a name");
        assert!(name.len() <= 57 && !name.starts_with('.'), "{name}");
    }
}

#[test]
fn what_is_forgotten_is_gone() {
    let output = tempfile::tempdir().expect("a directory");
    Store::open(output.path(), "b", SMALL).append(["x"]);
    assert!(Reader::new(output.path(), "b", 0).is_there());
    remove(output.path(), "b").expect("removable");
    remove(output.path(), "b").expect("nothing is there to remove");
    assert!(!Reader::new(output.path(), "b", 0).is_there());
    assert_eq!(texts(output.path(), 0), [""; 0]);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 40, ..Default::default() })]

    /// A reader that follows gets every line once, in order, however it is written.
    #[test]
    fn who_follows_gets_every_line_once(
        batches in proptest::collection::vec(proptest::collection::vec("[a-z]{0,12}", 0..4), 0..20)
    ) {
        let output = tempfile::tempdir().expect("a directory");
        let bounds = Bounds { segment_bytes: 24, segments: 100 };
        let mut reader = Reader::new(output.path(), "b", 0);
        let (mut written, mut seen) = (String::new(), String::new());
        for batch in batches {
            let mut store = Store::open(output.path(), "b", bounds);
            prop_assert_eq!(store.end(), written.len() as u64);
            store.append(batch.iter().map(String::as_str));
            for line in &batch {
                written.push_str(line);
                written.push('\n');
            }
            while let Some(stretch) = reader.more().expect("readable") {
                prop_assert_eq!(stretch.offset, seen.len() as u64);
                seen.push_str(std::str::from_utf8(&stretch.bytes).expect("text"));
            }
            prop_assert_eq!(&seen, &written);
        }
    }
}
