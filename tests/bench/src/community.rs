//! A synthetic community with the shape of a real one that was counted: 3,525
//! items, 15.8 MB, median 3.5 KB, largest 63 KB, 8,912 links, five learning paths
//! in both shapes.

use std::{fs, io, path::Path};

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};
use serde_json::{Value, json};

/// How many items.
pub const ITEMS: usize = 3_525;

/// How many links between them.
pub const LINKS: usize = 8_912;

/// Steps of the four paths of the first shape, and concepts of the second.
const STEPS: [usize; 4] = [16, 15, 9, 4];
const CONCEPTS: usize = 56;

/// Sizes in bytes: quantiles of the counted distribution.
const SIZES: [(usize, usize); 6] =
    [(10, 900), (25, 2_000), (50, 3_500), (75, 5_200), (97, 9_000), (100, 20_000)];

/// What its prose is made of.
pub const WORDS: [&str; 24] = [
    "node",
    "garden",
    "neighbour",
    "letter",
    "water",
    "bread",
    "council",
    "bridge",
    "season",
    "ledger",
    "kitchen",
    "promise",
    "window",
    "harvest",
    "market",
    "school",
    "lantern",
    "river",
    "shelter",
    "story",
    "bench",
    "orchard",
    "message",
    "morning",
];

/// What was made.
#[derive(Clone, Copy, Debug, Default)]
pub struct Made {
    /// Files.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// Writes the community to `folder`; the same seed gives the same bytes.
///
/// # Errors
/// The system's.
pub fn write(folder: &Path, seed: u64) -> io::Result<Made> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut made = Made::default();
    fs::create_dir_all(folder.join("content"))?;
    fs::create_dir_all(folder.join("paths"))?;
    let mut links_left = LINKS;
    for index in 0..ITEMS {
        let links = (links_left / (ITEMS - index)).min(links_left);
        links_left -= links;
        let size = if index == 0 { 63_000 } else { size(&mut random) };
        let related: Vec<String> = (0..links).map(|_| id(below(&mut random, ITEMS))).collect();
        let item = item(&mut random, index, size, &related);
        save(folder, &format!("content/{}.{}", id(index), item.1), &item.0, &mut made)?;
    }
    for (number, steps) in STEPS.into_iter().enumerate() {
        let path = path_of_steps(&mut random, number, steps);
        save(folder, &format!("paths/path-{number}.json"), &format!("{path:#}\n"), &mut made)?;
    }
    let path = path_of_concepts(&mut random);
    save(folder, "paths/path-4.json", &format!("{path:#}\n"), &mut made)?;
    Ok(made)
}

fn save(folder: &Path, path: &str, text: &str, made: &mut Made) -> io::Result<()> {
    made.files += 1;
    made.bytes += text.len() as u64;
    fs::write(folder.join(path), text)
}

fn id(index: usize) -> String {
    format!("item-{index:04}")
}

fn below(random: &mut ChaCha8Rng, end: usize) -> usize {
    usize::try_from(random.next_u64() % end as u64).unwrap_or(0)
}

fn size(random: &mut ChaCha8Rng) -> usize {
    let percent = below(random, 100);
    let at = SIZES.iter().position(|(until, _)| percent < *until).unwrap_or(SIZES.len() - 1);
    let from = if at == 0 { 300 } else { SIZES[at - 1].1 };
    from + below(random, SIZES[at].1 - from)
}

/// 84 % of the items are scenarios, which are JSON with a text inside; the rest
/// is Markdown with front matter. Reach is given on 2 % only.
fn item(
    random: &mut ChaCha8Rng,
    index: usize,
    size: usize,
    related: &[String],
) -> (String, &'static str) {
    let title = sentence(random, 4);
    let text = prose(random, size);
    if index % 100 < 84 {
        let mut value = json!({
            "id": id(index), "content_type": "scenario", "title": title,
            "description": sentence(random, 12), "content": text, "content_format": "gherkin",
            "tags": ["reference", WORDS[index % WORDS.len()]], "related_node_ids": related,
            "x_unknown": {"survives": true}, "schema_version": 1,
        });
        if index.is_multiple_of(50) {
            value["reach"] = "community".into();
        }
        return (format!("{value:#}\n"), "json");
    }
    let related = related.join(", ");
    let head = format!(
        "---\nid: {}\ntitle: {title}\ncontent_type: concept\ntags: [reference]\nrelated_node_ids: [{related}]\n---\n\n",
        id(index)
    );
    (format!("{head}{text}\n"), "md")
}

fn sentence(random: &mut ChaCha8Rng, words: usize) -> String {
    let words: Vec<&str> = (0..words).map(|_| WORDS[below(random, WORDS.len())]).collect();
    words.join(" ")
}

fn prose(random: &mut ChaCha8Rng, size: usize) -> String {
    let mut text = String::with_capacity(size + 64);
    while text.len() < size {
        let words = 6 + below(random, 12);
        text.push_str(&sentence(random, words));
        text.push_str(if below(random, 5) == 0 { ".\n\n" } else { ". " });
    }
    text.truncate(size);
    text
}

fn path_of_steps(random: &mut ChaCha8Rng, number: usize, steps: usize) -> Value {
    let steps: Vec<Value> = (0..steps)
        .map(|at| {
            json!({
                "id": format!("step-{at}"), "order_index": at, "step_type": "content",
                "resource_id": id(below(random, ITEMS)), "step_title": sentence(random, 4),
                "step_narrative": sentence(random, 20), "is_optional": false,
                "learning_objectives": [sentence(random, 6)], "reflection_prompts": [],
                "practice_exercises": [], "estimated_minutes": 5, "completion_criteria": "view",
            })
        })
        .collect();
    json!({
        "id": format!("path-{number}"), "version": "1.0.0", "title": sentence(random, 3),
        "description": sentence(random, 10), "created_by": "reference", "difficulty": "beginner",
        "visibility": "public", "path_type": "guide", "tags": [],
        "chapters": [{
            "id": "only", "order_index": 0, "title": sentence(random, 2), "description": "",
            "learning_objectives": [], "estimated_minutes": 60, "is_optional": false,
            "steps": steps,
        }],
    })
}

fn path_of_concepts(random: &mut ChaCha8Rng) -> Value {
    let chapters: Vec<Value> = (0..7)
        .map(|chapter| {
            let modules: Vec<Value> = (0..2)
                .map(|module| {
                    let concepts: Vec<String> =
                        (0..CONCEPTS / 14).map(|_| id(below(random, ITEMS))).collect();
                    json!({
                        "id": format!("module-{chapter}-{module}"), "order_index": module,
                        "title": sentence(random, 2),
                        "sections": [{
                            "id": format!("section-{chapter}-{module}"), "order_index": 0,
                            "title": sentence(random, 2), "conceptIds": concepts,
                        }],
                    })
                })
                .collect();
            json!({"id": format!("chapter-{chapter}"), "order_index": chapter,
                "title": sentence(random, 2), "modules": modules})
        })
        .collect();
    json!({
        "id": "path-4", "version": "3.1.0", "title": sentence(random, 3),
        "description": sentence(random, 10), "created_by": "reference",
        "difficulty": "beginner", "visibility": "public", "path_type": "guide", "tags": [],
        "chapters": chapters,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_community_has_the_counted_shape() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let made = write(folder.path(), 1).expect("writes");
        assert_eq!(made.files, ITEMS as u64 + 5);
        assert!((14_500_000..17_500_000).contains(&made.bytes), "{} bytes", made.bytes);
        let again = tempfile::tempdir().expect("a temporary folder");
        write(again.path(), 1).expect("writes");
        let read = |root: &Path| fs::read(root.join("content/item-0007.json")).expect("is there");
        assert_eq!(read(folder.path()), read(again.path()));
    }
}
