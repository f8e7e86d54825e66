//! placeholder
/// A pair as token ids.
#[derive(Debug, Clone, PartialEq)]
pub struct Example {
    /// id
    pub id: String,
    /// group
    pub group: String,
    /// category
    pub category: String,
    /// trunk
    pub trunk: Vec<i64>,
    /// start
    pub answer_start: usize,
    /// chosen
    pub chosen: Vec<i64>,
    /// rejected
    pub rejected: Vec<i64>,
}
