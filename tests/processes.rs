//! Budgets hold for processes that share a ledger file, even if some are killed. The processes are
//! this test program, run again with [`PROCESS`] set.

mod support;

use std::env;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use support::{builder_at, loopback};
use tollgate::cost::ledger::SqliteLedger;
use tollgate::testing::{Reply, Request};
use tollgate::{
    Budget, ChatRequest, CostConfig, CostReport, CostTracker, ErrorKind, Money, Price, Prices,
};

/// Which process it is, for one started by the test.
const PROCESS: &str = "TOLLGATE_TEST_PROCESS";
const FILE: &str = "TOLLGATE_TEST_PROCESS_FILE";
const SERVER: &str = "TOLLGATE_TEST_PROCESS_SERVER";

/// The file of a process that only opens it and spends what it may.
const LATE: &str = "TOLLGATE_TEST_PROCESS_LATE";

const PROCESSES: usize = 8;
const KILLED: usize = 4;

/// Enough for some hundred calls.
fn limit() -> Money {
    Money::cents(30)
}

/// The budgets of a process: one shared limit, and a count for each process.
fn costs(file: &str, ahead: Duration) -> CostTracker {
    let price = Price::per_million(Money::dollars(1), Money::dollars(2)).max_output(1_000);
    let ledger = SqliteLedger::open(file).unwrap().busy_timeout(Duration::from_secs(60));
    CostConfig::default()
        .prices(Prices::empty().set("openai", "m", price))
        .ledger(ledger.survive_power_loss(false))
        .budget(Budget::total(limit()))
        .budget(Budget::total(limit()).name("each").per_tag("process"))
        .clock(move || SystemTime::now() + ahead)
        .build()
        .unwrap()
}

/// Does nothing unless the other test runs this program again.
#[test]
fn what_a_process_does() {
    let Ok(process) = env::var(PROCESS) else { return };
    let client = builder_at(&env::var(SERVER).unwrap())
        .model("m")
        .cost_tracker(costs(&env::var(FILE).unwrap(), Duration::ZERO))
        .build()
        .unwrap();
    loop {
        let request = ChatRequest::from(format!("{process}:")).tag("process", process.as_str());
        match client.chat(request.max_output_tokens(fastrand::u32(300..800))) {
            Ok(response) => assert!(response.cost.is_some()),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::BudgetExceeded, "{error}");
                return;
            }
        }
    }
}

/// What is spent and reserved of the limit that all share, and what each has spent.
fn books(report: &CostReport) -> (Money, Money) {
    let shared = report.budgets.iter().find(|budget| budget.account.is_empty()).unwrap();
    assert!(shared.spent + shared.reserved <= limit(), "{shared:?}");
    (shared.spent, shared.reserved)
}

#[test]
fn no_number_of_processes_overruns_a_budget_even_if_some_are_killed() {
    let folder = env::temp_dir().join(format!("tollgate-{}", fastrand::u64(..)));
    std::fs::create_dir(&folder).unwrap();
    let file = folder.join("costs.db").into_os_string().into_string().unwrap();
    let server = loopback();
    server.record_requests(false);
    // What each process was billed, as the provider sees it, in pico-dollars.
    let billed: Arc<Vec<AtomicU64>> = Arc::new((0..PROCESSES).map(|_| 0.into()).collect());
    server.respond({
        let billed = Arc::clone(&billed);
        move |request: &Request| {
            let content = request.messages()[0]["content"].as_str().unwrap();
            let process: usize = content.trim_end_matches(':').parse().unwrap();
            let most = request.json()["max_tokens"].as_u64().unwrap();
            // Not zero: zero counts as unreported.
            let (input, output) = (fastrand::u64(1..100), fastrand::u64(1..=most));
            let picos = input * 1_000_000 + output * 2_000_000;
            billed[process].fetch_add(picos, Ordering::SeqCst);
            Some(Reply::text("ok").model("m").usage(input, output))
        }
    });

    let mut children: Vec<Child> = (0..PROCESSES)
        .map(|process| {
            Command::new(env::current_exe().unwrap())
                .args(["--exact", "what_a_process_does"])
                .env(PROCESS, process.to_string())
                .env(FILE, &file)
                .env(SERVER, server.base_url("openai"))
                .stdout(Stdio::null())
                .spawn()
                .unwrap()
        })
        .collect();
    let watcher = costs(&file, Duration::ZERO);
    // Killed in the middle of whatever they are doing.
    for (killed, child) in children[..KILLED].iter_mut().enumerate() {
        let enough = 20 * (killed as u64 + 1) + fastrand::u64(..20);
        assert!(server.wait_for_requests(enough, Duration::from_secs(60)));
        child.kill().unwrap();
        child.wait().unwrap();
        books(&watcher.report());
    }
    for child in &mut children[KILLED..] {
        loop {
            books(&watcher.report());
            if let Some(status) = child.try_wait().unwrap() {
                assert!(status.success(), "{status}");
                break;
            }
        }
    }

    // What the killed processes had reserved counts as spent after 15 minutes.
    let later = costs(&file, Duration::from_secs(3_600));
    let plan = tollgate::cost::CallPlan::new("openai", "m").input_tokens(0).output_tokens(0);
    drop(later.reserve(plan.clone()).unwrap());
    let (spent, reserved) = books(&later.report());
    assert_eq!(reserved, Money::ZERO);
    let billed: Vec<Money> =
        billed.iter().map(|billed| Money::picos(billed.load(Ordering::SeqCst).into())).collect();
    assert!(billed.iter().sum::<Money>() <= spent, "{billed:?} {spent}");
    for (process, billed) in billed.iter().enumerate() {
        // Seen by this tracker once it has had a call of that process.
        drop(later.reserve(plan.clone().tag("process", process.to_string())).unwrap());
        let account = format!("process={process}");
        let report = later.report();
        let booked = report.budgets.iter().find(|budget| budget.account == account).unwrap();
        match process < KILLED {
            true => assert!(booked.spent >= *billed, "{booked:?} {billed}"),
            false => assert_eq!(booked.spent, *billed, "{booked:?}"),
        }
    }
    std::fs::remove_dir_all(folder).unwrap();
}

/// Spends a cent for each call, until it is refused; how many cents that were.
fn spend(costs: &CostTracker) -> u32 {
    let plan =
        || tollgate::cost::CallPlan::new("openai", "m").input_tokens(10_000).output_tokens(0);
    let bill = || tollgate::cost::Bill::new(tollgate::Usage::reported(10_000, 0));
    let calls = (0..1_000).take_while(|_| match costs.reserve(plan().tag("process", "late")) {
        Ok(reservation) => reservation.send().settle(bill()).is_some(),
        Err(error) => {
            let kind = error.kind();
            assert!(matches!(kind, ErrorKind::BudgetExceeded | ErrorKind::Ledger), "{error}");
            false
        }
    });
    u32::try_from(calls.count()).unwrap()
}

/// Does nothing unless the test below runs this program again.
#[test]
fn what_a_late_process_does() {
    let Ok(file) = env::var(LATE) else { return };
    match SqliteLedger::open(&file) {
        Ok(ledger) => {
            drop(ledger);
            eprintln!("spent {}", spend(&costs(&file, Duration::ZERO)));
        }
        Err(error) => eprintln!("{error}"),
    }
}

fn late(file: &Path) -> Child {
    Command::new(env::current_exe().unwrap())
        .args(["--exact", "what_a_late_process_does", "--nocapture"])
        .env(LATE, file)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn output_of(child: Child) -> String {
    String::from_utf8(child.wait_with_output().unwrap().stderr).unwrap()
}

/// The first process keeps its open files, and one that starts later opens other files.
#[test]
#[cfg(unix)]
fn a_budget_holds_though_files_of_its_ledger_are_deleted_under_a_running_process() {
    let folder = env::temp_dir().join(format!("tollgate-files-{}", fastrand::u64(..)));
    std::fs::create_dir(&folder).unwrap();
    let all = ["-wal", "-shm"];
    let cases: Vec<_> = [("log", &all[..1]), ("index", &all[1..]), ("both", &all[..])]
        .into_iter()
        .map(|(case, suffixes)| {
            let file = folder.join(format!("{case}.db"));
            let first = costs(file.to_str().unwrap(), Duration::ZERO);
            // Half of it, and what is under way.
            let half = tollgate::cost::CallPlan::new("openai", "m").input_tokens(150_000);
            let half = || half.clone().output_tokens(0);
            let bill = tollgate::cost::Bill::new(tollgate::Usage::reported(150_000, 0));
            first.reserve(half()).unwrap().send().settle(bill).unwrap();
            let open = first.reserve(half().input_tokens(50_000)).unwrap();
            for suffix in suffixes {
                std::fs::remove_file(folder.join(format!("{case}.db{suffix}"))).unwrap();
            }
            (file.clone(), first, open, late(&file))
        })
        .collect();
    for (file, first, open, second) in cases {
        // The running process learns it at its next call, and the new one at once.
        assert_eq!(spend(&first), 0, "{file:?}");
        let message = output_of(second);
        assert!(message.contains("without the files that belong beside it"), "{message}");
        // Once the first has ended, all that it has spent and reserved is there.
        drop(open);
        drop(first);
        assert_eq!(output_of(late(&file)), "spent 10\n", "{file:?}");
    }
    std::fs::remove_dir_all(folder).unwrap();
}
