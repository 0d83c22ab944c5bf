//! Each lesson says what it shall, when it shall.

use super::*;

fn played(name: &str, parameters: Value) -> Played {
    Recipe::new(name, 1, parameters.as_object().unwrap()).unwrap().play().unwrap()
}

#[test]
#[ignore]
fn look() {
    for lesson in ALL.iter().flat_map(|some| some.iter()) {
        let played = played(lesson.name, json!({}));
        println!("== {} {} sights", lesson.name, played.sights.len());
        for step in &played.steps {
            println!("{} {}", step.at, step.key);
        }
        if std::env::var("LESSON").is_ok_and(|name| name == lesson.name) {
            for sight in &played.sights {
                match sight {
                    Sight::Cable(cable) => println!(
                        "{} {} {:?} {} {:?}",
                        cable.at,
                        cable.host,
                        cable.direction,
                        sockeye_core::wire::describe(&cable.frame, sockeye_core::wire::LinkType::Ethernet),
                        cable.fate.loss()
                    ),
                    Sight::Host(host, trace) => println!("{} {host} {:?}", trace.at, trace.event),
                    Sight::Note(note) => println!("{} {}", note.at, note.words),
                    Sight::Sample(_) => {}
                }
            }
        }
    }
}
