//! Servers that are not ours.

use std::os::unix::net::UnixListener;

use super::support::{House, Threads};

#[tokio::test]
async fn the_sessions_of_another_server_have_names_and_where_none_listens_there_are_none() {
    let house = House::new().await;
    let server = house.shell("read -r line").await;
    let names = house.tmux.sessions_at(&Threads, server.socket()).await.unwrap();
    assert_eq!(names.len(), 1, "{names:?}");
    let nobody = house.tmux.sessions_at(&Threads, &house.path("none")).await.unwrap();
    assert_eq!(nobody, Vec::<String>::new());
}

#[tokio::test]
async fn a_server_that_says_nothing_is_given_up() {
    let house = House::new().await;
    let silent = house.path("silent");
    let _listener = UnixListener::bind(&silent).unwrap();
    let error = house.tmux.sessions_at(&Threads, &silent).await.unwrap_err();
    assert!(error.to_string().contains("/silent"), "{error}");
}
