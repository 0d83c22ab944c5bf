//! `sockeye sim grid`, as a user runs it.

mod running;

use running::run;

/// Two cells that take no time.
const CELLS: [&str; 4] = ["--cell", "rtt=10ms rate=10mbit", "--cell", "loss=1% rtt=10ms rate=10mbit flows=2"];

fn grid(options: &[&str]) -> String {
    let arguments = [&["sim", "grid", "--duration", "2s"], &CELLS[..], options].concat();
    let output = run(&arguments);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.stderr.is_empty(), "no progress where nobody looks");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn csv_and_json_have_a_line_for_each_cell_with_the_same_numbers() {
    let csv = grid(&["--format", "csv"]);
    let mut lines = csv.lines();
    let names: Vec<&str> = lines.next().unwrap().split(',').collect();
    assert_eq!(names[..4], ["loss", "burst", "rtt_ms", "rate_mbit"]);
    let json = grid(&["--format", "json"]);
    assert_eq!((csv.lines().count(), json.lines().count()), (3, 2));
    for (line, object) in lines.zip(json.lines()) {
        let object: serde_json::Value = serde_json::from_str(object).unwrap();
        for (name, value) in names.iter().zip(line.split(',')) {
            let told = match &object[*name] {
                serde_json::Value::Null => String::new(),
                serde_json::Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            assert_eq!(told, value, "{name}");
        }
        assert!(object["goodput_mbit"].as_f64().unwrap() > 1.0, "{object}");
    }
}

#[test]
fn the_seed_decides() {
    let with = |seed| grid(&["--format", "csv", "--no-transfers", "--seed", seed]);
    assert_eq!(with("7"), with("7"));
    assert_ne!(with("7").replace(",7,", ",8,"), with("8"));
}

#[test]
fn the_table_names_the_cells_and_a_trace_their_losses() {
    let table = grid(&["--congestion", "reno"]);
    assert!(table.contains("loss=1% rtt=10ms rate=10mbit queue=1 flows=2"), "{table}");
    let output = run(&["sim", "grid", CELLS[2], CELLS[3], "--duration", "2s", "--trace", "500ms"]);
    let trace = String::from_utf8(output.stdout).unwrap();
    for word in ["cwnd", "ssthresh", " lost\n", "sent again\n"] {
        assert!(trace.contains(word), "no {word} in {trace}");
    }
}
