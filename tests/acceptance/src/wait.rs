use std::time::Duration;

/// Longest that anything may take on a busy machine with two slow cores.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// How often to ask where nothing tells.
const ASK_EVERY: Duration = Duration::from_millis(50);

/// Asks again and again until there is an answer.
///
/// # Panics
/// When there is none in time.
pub async fn until<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let asking = async {
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            tokio::time::sleep(ASK_EVERY).await;
        }
    };
    let waited = tokio::time::timeout(PATIENCE, asking).await;
    waited.unwrap_or_else(|_| panic!("{what}: not within {PATIENCE:?}"))
}
