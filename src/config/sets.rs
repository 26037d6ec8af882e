//! The data sets of an experiment: that of `[data]`, and those that phases name.

use super::spec::{DataSpec, PhaseSpec, SetSpec, Spec};
use crate::data::sets::{self, Origin};
use crate::data::{Facts, Given, Request};
use crate::registry::Choice;
use std::path::{Path, PathBuf};

impl SetSpec {
    fn of(data: &DataSpec) -> Self {
        let DataSpec { dataset, root, train_images, val_images, classes, statistics, .. } = data.clone();
        Self { dataset, root, train_images, val_images, classes, statistics }
    }

    /// The figures to plan with while the set is absent.
    pub fn given(&self) -> Given {
        Given { train_images: self.train_images, val_images: self.val_images, classes: self.classes }
    }
}

impl Spec {
    /// The sets, each once, in the order in which phases come to use them; that of `[data]` is the first. One that names no
    /// folder is sought where that of `[data]` is, unless one of the two is a folder itself: a folder of one's own images
    /// holds no other set. One that says nothing of statistics is normalised by those that `[data]` gives; the same images
    /// normalised otherwise are another set.
    pub fn sets(&self) -> Vec<SetSpec> {
        self.sets_by_phase().0
    }

    /// The [`sets`](Self::sets), and which of them each phase uses.
    pub fn sets_by_phase(&self) -> (Vec<SetSpec>, Vec<usize>) {
        let mut sets = vec![SetSpec::of(&self.data)];
        let place = |phase: &PhaseSpec| {
            let set = self.set_in(phase.data.as_ref());
            sets.iter().position(|known| are_same(known, &set)).unwrap_or_else(|| {
                sets.push(set);
                sets.len() - 1
            })
        };
        let by_phase = self.phases.iter().map(place).collect();
        (sets, by_phase)
    }

    fn set_in(&self, phase: Option<&SetSpec>) -> SetSpec {
        match phase {
            Some(set) => {
                let beside = is_own(&set.dataset) == is_own(&self.data.dataset);
                let root = || self.data.root.clone().filter(|_| beside);
                let statistics = set.statistics.clone().or_else(|| self.data.statistics.clone());
                let statistics = statistics.filter(|given| !given.is_own());
                SetSpec { root: set.root.clone().or_else(root), statistics, ..set.clone() }
            }
            None => SetSpec::of(&self.data),
        }
    }

    /// What to ask of the data side for one of the sets. All have the same stand-in.
    pub fn request<'a>(&'a self, set: &'a SetSpec) -> Request<'a> {
        let is_first = are_same(set, &SetSpec::of(&self.data));
        let names = |phase: &&PhaseSpec| are_same(&self.set_in(phase.data.as_ref()), set);
        let phase = self.phases.iter().find(names).filter(|_| !is_first).map(|phase| phase.source);
        Request {
            dataset: &set.dataset,
            root: set.root.as_deref(),
            phase,
            stand_in: self.data.stand_in.as_ref(),
            statistics: set.statistics.as_ref(),
        }
    }

    /// The table that gives the statistics which a set is normalised by.
    pub fn place_of_statistics(&self, set: &SetSpec) -> String {
        let gives = |phase: &PhaseSpec| {
            let own = phase.data.as_ref().is_some_and(|own| own.statistics.is_some());
            own && are_same(&self.set_in(phase.data.as_ref()), set)
        };
        match self.phases.iter().position(gives).filter(|_| !are_same(set, &SetSpec::of(&self.data))) {
            Some(phase) => format!("phases[{phase}].data"),
            None => "data".to_owned(),
        }
    }

    /// The experiment with a head that tells the classes of all its sets apart, where it leaves that open and has several.
    pub fn for_sets(&self, facts: &[Facts]) -> Self {
        let mut spec = self.clone();
        if facts.len() > 1 && spec.model.classes.is_none() {
            spec.model.classes = facts.iter().map(|facts| facts.classes).max();
        }
        spec
    }

    /// Changes the folder of every set that names one.
    ///
    /// # Errors
    /// The first of `change`.
    pub fn change_roots<E>(&mut self, change: impl Fn(&Path) -> Result<Option<PathBuf>, E>) -> Result<(), E> {
        let phases = self.phases.iter_mut().filter_map(|phase| phase.data.as_mut());
        for root in phases.map(|set| &mut set.root).chain([&mut self.data.root]) {
            if let Some(path) = root.take() {
                *root = change(&path)?;
            }
        }
        Ok(())
    }
}

/// Whether it is a folder of one's own images.
fn is_own(dataset: &Choice) -> bool {
    matches!(sets::make(dataset).origin(), Origin::Own)
}

/// Whether the images are the same, and what the net sees of them: figures to plan with tell no sets apart.
fn are_same(a: &SetSpec, b: &SetSpec) -> bool {
    a.dataset == b.dataset && a.root == b.root && a.statistics == b.statistics
}
