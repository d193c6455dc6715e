//! A client that is gone has left no thread and no descriptor. Alone in its
//! process, so that both can be counted.
#![cfg(target_os = "linux")]

mod support;

use std::fs;
use std::thread;
use std::time::Duration;
use support::{builder, builder_at, loopback};
use tollgate::testing::Reply;
use tollgate::{CancelToken, ChatRequest, PoolConfig, Provider};

fn count(folder: &str) -> usize {
    fs::read_dir(folder).expect("/proc is there").count()
}

fn threads() -> usize {
    count("/proc/self/task")
}

fn descriptors() -> usize {
    count("/proc/self/fd")
}

#[test]
fn nothing_is_left_of_a_client() {
    // Whatever the first use of the network keeps for good.
    {
        let server = loopback();
        builder(&server, Provider::OpenAi).build().unwrap().chat("hi").unwrap();
    }
    let (threads_before, descriptors_before) = (threads(), descriptors());
    for _ in 0..20 {
        let server = loopback();
        server.otherwise(Reply::text("hi"));
        for reply in [
            Reply::text("half").cut_after(3),
            Reply::reset(),
            Reply::text("bye").close(),
            Reply::status(500),
            Reply::hang(),
        ] {
            server.reply(reply);
        }
        let pool = PoolConfig { max_size: 3, ..PoolConfig::default() };
        let client = builder(&server, Provider::OpenAi).pool(pool).build().unwrap();
        // By name, which takes a thread for the lookup.
        let port = server.address().port();
        let by_name = builder_at(&format!("http://localhost:{port}/v1")).build().unwrap();
        let token = CancelToken::new();
        thread::scope(|scope| {
            for _ in 0..8 {
                let (client, by_name, token) = (client.clone(), &by_name, &token);
                scope.spawn(move || {
                    for _ in 0..10 {
                        let request = ChatRequest::from("hi").cancel_token(token);
                        let _ = client.chat(request);
                    }
                    let _ = by_name.chat("hi");
                });
            }
            server.wait_for_requests(5, Duration::from_secs(20));
            token.cancel();
        });
        client.warm_up(2).unwrap();
    }
    // A lookup's thread ends on its own, once the system has answered.
    let mut patience = 10_000;
    while (threads() > threads_before || descriptors() > descriptors_before) && patience > 0 {
        patience -= 1;
        thread::sleep(Duration::from_millis(1));
    }
    assert_eq!((threads(), descriptors()), (threads_before, descriptors_before));
}
