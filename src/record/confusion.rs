//! What a net takes each class for: counts over evaluated images, and what they say of each class.

use super::csv_file;
use super::rows::Row;
use serde::{Deserialize, Serialize};

/// How often images of each class were taken for each.
#[derive(Clone, Debug, PartialEq)]
pub struct Confusion {
    /// Of the net's outputs: the set's classes come first, and a head may have more.
    names: Vec<String>,
    classes: usize,
    /// `(classes, outputs)`: row by true class.
    counts: Vec<u64>,
    /// Images of each class for which the net gave no answer, as its outputs held NaN.
    undecided: Vec<u64>,
}

/// What the counts say of one class.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClassRow {
    /// From 0.
    pub class: usize,
    pub name: String,
    /// Images of this class, taken for this class, and both.
    pub images: u64,
    pub predicted: u64,
    pub correct: u64,
    /// Recall, `correct / images`; NaN without images.
    pub accuracy: f64,
    /// `correct / predicted`; NaN where nothing was taken for this class.
    pub precision: f64,
    /// The class that most of the others were taken for, the first of equals; empty where all were right.
    pub confused_with: String,
    /// How many were.
    pub confused: u64,
}

impl Row for ClassRow {
    const COLUMNS: &'static [&'static str] =
        &["class", "name", "images", "predicted", "correct", "accuracy", "precision", "confused_with", "confused"];
}

impl Confusion {
    /// Nothing counted yet, for a set with these classes and a net of `outputs`, at least as many.
    pub fn new(class_names: &[String], outputs: usize) -> Self {
        let classes = class_names.len();
        let outputs = outputs.max(classes);
        let further = (classes..outputs).map(|class| format!("output {class}"));
        Self {
            names: class_names.iter().cloned().chain(further).collect(),
            classes,
            counts: vec![0; classes * outputs],
            undecided: vec![0; classes],
        }
    }

    /// Counts an image of class `label`; `predicted` is `None` where the net's outputs held NaN.
    ///
    /// # Panics
    /// When either is no class.
    pub fn add(&mut self, label: usize, predicted: Option<usize>) {
        match predicted {
            Some(output) => {
                assert!(output < self.names.len(), "output {output} of {}", self.names.len());
                self.counts[label * self.names.len() + output] += 1;
            }
            None => self.undecided[label] += 1,
        }
    }

    /// Names of the columns; those of the rows come first.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The number of rows.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// How often images of class `label` were taken for each output.
    pub fn row(&self, label: usize) -> &[u64] {
        let outputs = self.names.len();
        &self.counts[label * outputs..][..outputs]
    }

    /// Images of class `label`.
    pub fn images_of(&self, label: usize) -> u64 {
        self.row(label).iter().sum::<u64>() + self.undecided[label]
    }

    /// All images counted.
    pub fn images(&self) -> u64 {
        (0..self.classes).map(|label| self.images_of(label)).sum()
    }

    /// The fraction of right answers.
    pub fn accuracy(&self) -> f64 {
        (0..self.classes).map(|label| self.row(label)[label]).sum::<u64>() as f64 / self.images() as f64
    }

    /// What the counts say of each class, in the set's order.
    pub fn by_class(&self) -> Vec<ClassRow> {
        (0..self.classes).map(|class| self.class(class)).collect()
    }

    fn class(&self, class: usize) -> ClassRow {
        let row = self.row(class);
        let (images, correct) = (self.images_of(class), row[class]);
        let predicted = (0..self.classes).map(|label| self.row(label)[class]).sum();
        let others = row.iter().enumerate().filter(|(output, count)| *output != class && **count > 0);
        // `max_by_key` would give the last of equals.
        let most = others.rev().max_by_key(|(_, count)| **count);
        ClassRow {
            class,
            name: self.names[class].clone(),
            images,
            predicted,
            correct,
            accuracy: correct as f64 / images as f64,
            precision: correct as f64 / predicted as f64,
            confused_with: most.map_or_else(String::new, |(output, _)| self.names[output].clone()),
            confused: most.map_or(0, |(_, count)| *count),
        }
    }

    /// The matrix as CSV: a row each true class, a column each predicted one, named in the first column and the header. A
    /// last column `no answer` is there only where some outputs held NaN.
    ///
    /// # Errors
    /// None that a matrix can give: those of the CSV writer.
    pub fn to_csv(&self) -> csv::Result<Vec<u8>> {
        let gaps = self.undecided.iter().any(|count| *count > 0);
        let mut writer = csv_file::writer();
        let columns = ["true class"].into_iter().chain(self.names.iter().map(String::as_str));
        writer.write_record(columns.chain(gaps.then_some("no answer")))?;
        for label in 0..self.classes {
            let counts = self.row(label).iter().copied().chain(gaps.then_some(self.undecided[label]));
            let fields = std::iter::once(self.names[label].clone()).chain(counts.map(|count| count.to_string()));
            writer.write_record(fields)?;
        }
        writer.into_inner().map_err(|e| std::io::Error::other(e.to_string()).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matrix() -> Confusion {
        let names = ["cat", "dog, big", "owl"].map(str::to_owned);
        let mut matrix = Confusion::new(&names, 4);
        let seen = [(0, 0), (0, 0), (0, 1), (0, 2), (1, 1), (1, 3), (1, 3)];
        seen.into_iter().for_each(|(label, predicted)| matrix.add(label, Some(predicted)));
        matrix.add(1, None);
        matrix
    }

    #[test]
    fn classes_are_counted_as_defined() {
        let classes = matrix().by_class();
        let cat = &classes[0];
        assert_eq!((cat.images, cat.predicted, cat.correct, cat.accuracy, cat.precision), (4, 2, 2, 0.5, 1.0));
        assert_eq!((cat.confused_with.as_str(), cat.confused), ("dog, big", 1), "the first of equals");
        let dog = &classes[1];
        assert_eq!((dog.images, dog.predicted, dog.accuracy, dog.precision), (4, 2, 0.25, 0.5), "no answer is wrong");
        assert_eq!((dog.confused_with.as_str(), dog.confused), ("output 3", 2));
        assert!(classes[2].accuracy.is_nan() && classes[2].precision == 0.0 && classes[2].confused_with.is_empty());
        assert_eq!((matrix().images(), matrix().accuracy()), (8, 3.0 / 8.0));
    }

    #[test]
    fn the_matrix_as_csv_has_names_on_both_sides() {
        let text = String::from_utf8(matrix().to_csv().unwrap()).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "true class,cat,\"dog, big\",owl,output 3,no answer");
        assert_eq!(lines[1..], ["cat,2,1,1,0,0", "\"dog, big\",0,1,0,2,1", "owl,0,0,0,0,0"]);
        let mut sure = Confusion::new(&["a".to_owned()], 1);
        sure.add(0, Some(0));
        assert_eq!(sure.to_csv().unwrap(), b"true class,a\na,1\n");
    }

    #[test]
    fn rows_are_named_as_their_header_says() {
        let bytes = csv_file::encode(matrix().by_class()).unwrap();
        let mut reader = csv::Reader::from_reader(&bytes[..]);
        assert_eq!(reader.headers().unwrap(), ClassRow::COLUMNS);
        let back: Vec<ClassRow> = reader.deserialize().map(Result::unwrap).collect();
        assert_eq!(back[..2], matrix().by_class()[..2]);
    }
}
