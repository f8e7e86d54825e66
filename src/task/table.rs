//! Rows of CSV files by the names of their columns.

use super::File;
use crate::error::{Error, Result};

/// The named columns of every record of a CSV file, trimmed and with plain line ends, each record with its place for
/// messages. An unnamed column has the name "". An empty cell is an error.
pub(super) fn csv_rows<const N: usize>(
    file: &File,
    columns: [&str; N],
) -> Result<Vec<(String, [String; N])>> {
    let rows = csv_cells(file, columns)?;
    for (place, row) in &rows {
        if let Some(empty) = row.iter().position(String::is_empty) {
            return Err(Error::input(place, format!("the column `{}` is empty", columns[empty]))
                .hint(needed(columns)));
        }
    }
    Ok(rows)
}

fn needed<const N: usize>(columns: [&str; N]) -> String {
    format!("the columns {} are needed, in any order", columns.map(|c| format!("`{c}`")).join(", "))
}

/// [`csv_rows`] whose cells may be empty.
pub(super) fn csv_cells<const N: usize>(
    file: &File,
    columns: [&str; N],
) -> Result<Vec<(String, [String; N])>> {
    let (header, records) = csv_records(file, b',')?;
    let mut places = [0; N];
    for (place, column) in places.iter_mut().zip(columns) {
        *place = header.iter().position(|name| name.trim() == column).ok_or_else(|| {
            Error::input(file.at(1), format!("there is no column `{column}`")).hint(needed(columns))
        })?;
    }
    let cells = |(line, record): (u64, csv::StringRecord)| {
        let row = places.map(|at| record.get(at).unwrap_or_default().trim().replace("\r\n", "\n"));
        (file.at(line), row)
    };
    Ok(records.into_iter().map(cells).collect())
}

/// The first line of a CSV file, and every further record with the number of its line.
pub(super) fn csv_records(
    file: &File,
    delimiter: u8,
) -> Result<(csv::StringRecord, Vec<(u64, csv::StringRecord)>)> {
    // The csv crate takes all that follows an open quotation mark for one field, silently.
    if file.text.matches('"').count() % 2 == 1 {
        return Err(Error::input(&file.shown, "a quotation mark is opened and never closed")
            .hint("the file may be cut off; a quotation mark inside a quoted field is written twice"));
    }
    let mut reader = csv::ReaderBuilder::new().delimiter(delimiter).from_reader(file.text.as_bytes());
    let wrong = |error: &csv::Error| {
        let place = error.position().map_or_else(|| file.shown.clone(), |at| file.at(at.line()));
        let why = match error.kind() {
            csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
                format!("{len} fields where the first line has {expected_len}")
            }
            _ => error.to_string(),
        };
        Error::input(place, why)
            .hint("the line may be cut off; a field with a comma stands in quotation marks")
    };
    let header = reader.headers().map_err(|error| wrong(&error))?.clone();
    let mut records = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|error| wrong(&error))?;
        records.push((record.position().map_or(0, csv::Position::line), record));
    }
    Ok((header, records))
}
