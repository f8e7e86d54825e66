//! Choosing, ordering and naming the parts of a figure, and putting figures of one kind together.

use std::any::Any;

use crate::error::{Error, Result};

/// What is taken of a figure, in which order, and under which names.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Arrangement {
    /// Titles of the panels to keep, in this order; all of them where it is empty. `*` stands for anything.
    pub panels: Vec<String>,
    /// Labels of the lines, maps or rows to keep in each panel, in this order; all of them where it is empty. `*` stands
    /// for anything. A panel that has none of them is left out.
    pub lines: Vec<String>,
    /// The first and the last layer to keep.
    pub layers: Option<(usize, usize)>,
    /// Titles and labels, and what stands in their place. A whole text is replaced, never a part of one.
    pub names: Vec<(String, String)>,
    /// Panels side by side.
    pub columns: Option<usize>,
}

/// How figures are put together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Together {
    /// The panels of one after those of the other.
    #[default]
    Panels,
    /// The lines of panels of one title in one panel.
    Lines,
}

/// A figure whose parts can be chosen, named and joined.
pub trait Arrange: Any {
    /// Gives the figure another name.
    fn rename(&mut self, name: &str);

    /// Says of every panel, or of every line, what it is of: `base: stereotype`.
    fn mark(&mut self, of: &str, together: Together);

    /// Adds what another figure of the same kind shows.
    ///
    /// # Errors
    /// It is of another kind or has other axes, or its kind has no lines to put into one panel.
    fn join(&mut self, other: &dyn Any, together: Together) -> Result<()>;

    /// Keeps, orders and names parts.
    ///
    /// # Errors
    /// A pattern or name that nothing in the figure matches (what there is, is listed), layers that it does not have.
    fn arrange(&mut self, arrangement: &Arrangement) -> Result<()>;
}

/// A figure of panels.
pub trait Parts: Any + Clone {
    /// One of them.
    type Panel: Part + Clone;

    /// The figure's name.
    fn name(&mut self) -> &mut String;

    /// Its panels in reading order.
    fn panels(&mut self) -> &mut Vec<Self::Panel>;

    /// Texts that belong to no panel: the labels of the axes.
    fn axes(&mut self) -> Vec<&mut String>;

    /// What the caption says of all panels alike: intervals, tests.
    fn claims(&self) -> Vec<&str>;

    /// How many panels stand side by side, where that can be chosen.
    fn columns(&mut self) -> Option<&mut Option<usize>>;

    /// Makes room for the panels of another figure, or says why there is none.
    ///
    /// # Errors
    /// The two cannot stand together.
    fn make_room(&mut self, _other: &mut Self) -> std::result::Result<(), &'static str> {
        Ok(())
    }

    /// Keeps some layers; whether the figure has such.
    fn keep_layers(&mut self, _first: usize, _last: usize) -> bool {
        false
    }
}

/// A panel of a figure.
pub trait Part {
    /// Its title.
    fn title(&mut self) -> &mut String;

    /// The labels of its lines; none where it has no named lines.
    fn labels(&mut self) -> Vec<&mut String>;

    /// Keeps lines, in this order.
    fn keep(&mut self, lines: &[usize]);

    /// Labels of what stands beside its lines and is of the same source.
    fn beside(&mut self) -> Vec<&mut String> {
        Vec::new()
    }

    /// Takes the lines of another panel of its title as well; whether it can.
    fn absorb(&mut self, other: &Self) -> bool;
}

/// Says what the parts of a figure are: its panels, the labels of its axes, what its caption says of all panels, and what
/// else it can do.
macro_rules! parts {
    ($figure:ident, $panel:ident, [$($axis:ident),+], [$($claim:ident),+] $(, { $($more:item)* })?) => {
        impl crate::arrange::Parts for $figure {
            type Panel = $panel;

            fn name(&mut self) -> &mut String {
                &mut self.name
            }

            fn panels(&mut self) -> &mut Vec<$panel> {
                &mut self.panels
            }

            fn axes(&mut self) -> Vec<&mut String> {
                vec![$(&mut self.$axis),+]
            }

            fn claims(&self) -> Vec<&str> {
                vec![$(&self.$claim),+]
            }

            fn columns(&mut self) -> Option<&mut Option<usize>> {
                Some(&mut self.columns)
            }

            $($($more)*)?
        }
    };
}

/// Says what the lines of a panel are, or that it has none.
macro_rules! lines {
    ($panel:ident) => {
        impl crate::arrange::Part for $panel {
            fn title(&mut self) -> &mut String {
                &mut self.title
            }

            fn labels(&mut self) -> Vec<&mut String> {
                Vec::new()
            }

            fn keep(&mut self, _: &[usize]) {}

            fn absorb(&mut self, _: &Self) -> bool {
                false
            }
        }
    };
    ($panel:ident, $lines:ident, $($label:ident).+ $(, also $more:ident)?) => {
        impl crate::arrange::Part for $panel {
            fn title(&mut self) -> &mut String {
                &mut self.title
            }

            fn labels(&mut self) -> Vec<&mut String> {
                self.$lines.iter_mut().map(|line| &mut line.$($label).+).collect()
            }

            fn keep(&mut self, lines: &[usize]) {
                crate::arrange::pick(&mut self.$lines, lines);
            }

            fn absorb(&mut self, other: &Self) -> bool {
                self.$lines.extend(other.$lines.iter().cloned());
                $(self.$more.extend(other.$more.iter().cloned());)?
                true
            }
        }
    };
}

pub(crate) use {lines, parts};

/// Whether a text matches a pattern in which `*` stands for anything.
#[must_use]
pub fn matches(pattern: &str, text: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut left) = text.strip_prefix(start) else { return false };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let end = parts.pop().unwrap_or_default();
    for part in parts {
        let Some(at) = left.find(part) else { return false };
        left = &left[at + part.len()..];
    }
    left.len() >= end.len() && left.ends_with(end)
}

/// Which of some texts match, pattern by pattern; each once.
pub(crate) fn chosen(patterns: &[String], texts: &[String]) -> Vec<usize> {
    let mut places = Vec::new();
    for pattern in patterns {
        let found =
            texts.iter().enumerate().filter(|(_, text)| matches(pattern, text)).map(|(place, _)| place);
        places.extend(found.filter(|place| !places.contains(place)).collect::<Vec<_>>());
    }
    places
}

pub(crate) fn pick<T: Clone>(all: &mut Vec<T>, places: &[usize]) {
    *all = places.iter().filter_map(|&place| all.get(place).cloned()).collect();
}

/// Every pattern must match something.
pub(crate) fn check_all_match(what: &'static str, patterns: &[String], texts: &[String]) -> Result<()> {
    match patterns.iter().find(|pattern| !texts.iter().any(|text| matches(pattern, text))) {
        None => Ok(()),
        Some(pattern) => Err(Error::NoMatch { what, pattern: pattern.clone(), known: listed(texts) }),
    }
}

fn listed(texts: &[String]) -> String {
    let mut seen: Vec<String> = Vec::new();
    for text in texts {
        let quoted = format!("{text:?}");
        if !seen.contains(&quoted) {
            seen.push(quoted);
        }
    }
    if seen.is_empty() { "none".into() } else { seen.join(", ") }
}

fn titles<F: Parts>(figure: &mut F) -> Vec<String> {
    figure.panels().iter_mut().map(|panel| panel.title().clone()).collect()
}

fn labels<P: Part>(panel: &mut P) -> Vec<String> {
    panel.labels().into_iter().map(|label| label.clone()).collect()
}

/// Visits every text that can be replaced.
fn each_text<F: Parts>(figure: &mut F, visit: &mut dyn FnMut(&mut String)) {
    figure.axes().into_iter().for_each(&mut *visit);
    for panel in figure.panels() {
        visit(panel.title());
        panel.labels().into_iter().for_each(&mut *visit);
    }
}

fn axes<F: Parts>(figure: &mut F) -> Vec<String> {
    figure.axes().into_iter().map(|text| text.clone()).collect()
}

/// Says of a text what it is of.
pub(crate) fn mark(text: &mut String, of: &str) {
    *text = if text.is_empty() { of.to_owned() } else { format!("{of}: {text}") };
}

/// Every text that is to have another name must be there.
pub(crate) fn check_names(names: &[(String, String)], texts: &[String]) -> Result<()> {
    match names.iter().find(|(from, _)| !texts.contains(from)) {
        None => Ok(()),
        Some((from, _)) => Err(Error::NoMatch { what: "text", pattern: from.clone(), known: listed(texts) }),
    }
}

/// Puts its name in the place of a text that has one.
pub(crate) fn replace(names: &[(String, String)], text: &mut String) {
    if let Some((_, to)) = names.iter().find(|(from, _)| from == text) {
        to.clone_into(text);
    }
}

impl<F: Parts> Arrange for F {
    fn rename(&mut self, name: &str) {
        name.clone_into(Parts::name(self));
    }

    fn mark(&mut self, of: &str, together: Together) {
        for panel in self.panels() {
            match together {
                Together::Panels => mark(panel.title(), of),
                Together::Lines => {
                    panel.labels().into_iter().for_each(|label| mark(label, of));
                    panel.beside().into_iter().for_each(|label| mark(label, of));
                }
            }
        }
    }

    fn join(&mut self, other: &dyn Any, together: Together) -> Result<()> {
        let name = Parts::name(self).clone();
        let refused = |why| Error::Apart { name: name.clone(), why };
        let other = other.downcast_ref::<F>().ok_or_else(|| refused("they are of different kinds"))?;
        let mut other = other.clone();
        if axes(self) != axes(&mut other) {
            return Err(refused("their axes differ"));
        }
        if self.claims() != other.claims() {
            return Err(refused("their captions tell of other intervals or tests"));
        }
        self.make_room(&mut other).map_err(refused)?;
        for mut panel in std::mem::take(other.panels()) {
            let own = match together {
                Together::Panels => None,
                Together::Lines => titles(self).iter().position(|title| title == panel.title()),
            };
            match own {
                None => self.panels().push(panel),
                Some(place) if self.panels()[place].absorb(&panel) => (),
                Some(_) => return Err(refused("their panels have no lines that could share one")),
            }
        }
        Ok(())
    }

    fn arrange(&mut self, arrangement: &Arrangement) -> Result<()> {
        let Arrangement { panels, lines, layers, names, columns } = arrangement;
        if !panels.is_empty() {
            let titles = titles(self);
            check_all_match("panel", panels, &titles)?;
            pick(self.panels(), &chosen(panels, &titles));
        }
        if !lines.is_empty() {
            let all: Vec<String> = self.panels().iter_mut().flat_map(labels).collect();
            check_all_match("line", lines, &all)?;
            for panel in self.panels() {
                let places = chosen(lines, &labels(panel));
                panel.keep(&places);
            }
            self.panels().retain_mut(|panel| !panel.labels().is_empty());
        }
        if let &Some((first, last)) = layers
            && !self.keep_layers(first, last)
        {
            return Err(Error::NoLayers { name: Parts::name(self).clone(), first, last });
        }
        if let (Some(wanted), Some(columns)) = (columns, self.columns()) {
            *columns = Some(*wanted);
        }
        let mut texts = Vec::new();
        each_text(self, &mut |text| texts.push(text.clone()));
        check_names(names, &texts)?;
        each_text(self, &mut |text| replace(names, text));
        Ok(())
    }
}
