//! The LaTeX files of a bundle: captions, methods, and a document that holds all of it.

use super::Contents;
use super::tables::PREFIX;
use crate::report::Planned;
use crate::report::finding::{Finding, Topic};
use crate::report::latex::{escape, tabular};
use crate::report::{Table, references};

/// Rows of a table that are printed; all of them are in its CSV. A table of the text may fill a page.
fn most_rows(table: &Table) -> usize {
    if table.name.starts_with(PREFIX) { 48 } else { 30 }
}

/// Figures in the text of one section; the others are in the appendix.
const IN_TEXT: usize = 2;

/// A line per figure and table that gives its caption a name.
pub fn captions(contents: &Contents<'_>) -> String {
    let mut out = String::from(
        "% \\captionfor{fig:NAME} and \\captionfor{tab:NAME} print the captions below.\n\
         \\newcommand{\\recantcaption}[2]{\\expandafter\\gdef\\csname recant:#1\\endcsname{#2}}\n\
         \\DeclareRobustCommand{\\captionfor}[1]{\\csname recant:#1\\endcsname}\n",
    );
    for planned in contents.report.drawn_in_order() {
        out += &one(&format!("fig:{}", planned.name()), &planned.figure.get().caption_tex());
    }
    for table in contents.tables() {
        let note = tabular(table, most_rows(table)).note;
        out += &one(&format!("tab:{}", table.name), format!("{} {note}", escape(&table.caption)).trim_end());
    }
    out
}

fn one(name: &str, text: &str) -> String {
    format!("\\recantcaption{{{name}}}{{{text}}}\n")
}

/// A table as it is printed.
pub fn table(table: &Table) -> String {
    tabular(table, most_rows(table)).body
}

/// The methods section, a paragraph with a heading each.
pub fn methods(contents: &Contents<'_>) -> String {
    let paragraph = |text: &String| {
        let (heading, words) = text.split_once(". ").unwrap_or(("", text));
        format!("\\paragraph{{{}.}} {}\n", escape(heading), references::latex(words, escape))
    };
    contents.report.cited.iter().map(paragraph).collect::<Vec<_>>().join("\n")
}

/// The document.
pub fn main(contents: &Contents<'_>) -> String {
    let report = contents.report;
    let mut body = PREAMBLE.replace("TITLE", &escape(report.title));
    body += "\\section{Methods}\n\\input{methods}\n\n\\section{Results}\n";
    let mut topics: Vec<Topic> = report.findings.iter().map(|finding| finding.topic).collect();
    topics.dedup();
    let mut placed: Vec<&str> = Vec::new();
    for topic in topics {
        body += &section(contents, topic, &mut placed);
    }
    let cautions: String = report.cautions.iter().map(|text| format!("\\item {}\n", escape(text))).collect();
    if !cautions.is_empty() {
        body += &format!("\n\\section{{Cautions}}\n\\begin{{itemize}}\n{cautions}\\end{{itemize}}\n");
    }
    body += "\n\\bibliographystyle{plainnat}\n\\bibliography{references}\n\n\\clearpage\n\\appendix\n\\section{Further figures}\n";
    let names = report.drawn_in_order().map(Planned::name);
    for name in names.filter(|name| !placed.contains(name)) {
        body += &format!("\\appendixfigure{{{name}}}\n");
    }
    body += "\n\\clearpage\n\\section{Further tables}\n";
    for table in &report.tables {
        body += &format!("\\appendixtable{{{}}}\n", table.name);
    }
    body + "\\end{document}\n"
}

/// What was found of one topic, with the figures and the main tables that show it.
fn section<'c>(contents: &'c Contents<'_>, topic: Topic, placed: &mut Vec<&'c str>) -> String {
    let of_topic = || contents.report.findings.iter().filter(move |finding| finding.topic == topic);
    let (mut figures, mut tables): (Vec<&str>, Vec<&str>) = (Vec::new(), Vec::new());
    let names = || contents.report.drawn_in_order().map(Planned::name);
    for shown in of_topic().filter_map(|finding| finding.figure.as_deref()) {
        let matching = names().filter(|name| {
            name.strip_prefix(shown).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
        });
        for name in matching {
            if figures.len() < IN_TEXT && !figures.contains(&name) && !placed.contains(&name) {
                figures.push(name);
            }
        }
    }
    tables.extend(
        contents
            .main
            .iter()
            .filter(|table| belongs(&table.name) == Some(topic))
            .map(|table| table.name.as_str()),
    );
    let mut out = format!("\n\\subsection{{{}}}\n", escape(topic.heading()));
    let refs = |kind: &str, word: &str, names: &[&str]| -> Vec<String> {
        names.iter().map(|name| format!("{word}~\\ref{{{kind}:{name}}}")).collect()
    };
    let seen = [refs("fig", "Figure", &figures), refs("tab", "Table", &tables)].concat();
    if !seen.is_empty() {
        out += &format!("See {}.\n\n", seen.join(", "));
    }
    let item = |finding: &Finding| format!("\\item {}\n", escape(&finding.text));
    let (clear, other): (Vec<&Finding>, Vec<&Finding>) = of_topic().partition(|finding| finding.clear);
    for (words, found) in [("", clear), ("Not clear, or not there:\n", other)] {
        if !found.is_empty() {
            let items: String = found.into_iter().map(item).collect();
            out += &format!("{words}\\begin{{itemize}}\n{items}\\end{{itemize}}\n");
        }
    }
    for name in &tables {
        out += &format!("\\papertable{{{name}}}\n");
    }
    for name in &figures {
        out += &format!("\\paperfigure{{{name}}}\n");
    }
    placed.extend(figures);
    out + "\\FloatBarrier\n"
}

/// The topic that a main table is of.
fn belongs(table: &str) -> Option<Topic> {
    match table {
        "paper_behaviour" | "paper_flips" => Some(Topic::Answers),
        "paper_probes" => Some(Topic::Probes),
        "paper_concepts" => Some(Topic::Rounds),
        "paper_shift" => Some(Topic::Shift),
        _ => None,
    }
}

const PREAMBLE: &str = r"\documentclass[a4paper,11pt]{article}
\usepackage[utf8]{inputenc}
\usepackage[T1]{fontenc}
\IfFileExists{lmodern.sty}{\usepackage{lmodern}}{\usepackage{mathptmx}}
\usepackage{textcomp,microtype}
\usepackage[margin=25mm]{geometry}
\usepackage{graphicx,booktabs,caption,placeins}
\usepackage[round]{natbib}
\usepackage[hidelinks]{hyperref}
\captionsetup{font=small,labelfont=bf,hypcap=false}
\renewcommand{\topfraction}{0.9}
\renewcommand{\bottomfraction}{0.9}
\renewcommand{\textfraction}{0.05}
\renewcommand{\floatpagefraction}{0.75}
\emergencystretch=3em
\hbadness=4000
\sloppy

% A table as wide as it is, or as the line where it is wider.
\newsavebox{\recantbox}
\newcommand{\fitted}[1]{\sbox{\recantbox}{\small #1}%
  \ifdim\wd\recantbox>\linewidth\resizebox{\linewidth}{!}{\usebox{\recantbox}}\else\usebox{\recantbox}\fi}
\newcommand{\drawn}[1]{\includegraphics[width=\linewidth,height=0.72\textheight,keepaspectratio]{figures/#1.pdf}}
\newcommand{\paperfigure}[1]{\begin{figure}[htbp]\centering\drawn{#1}\caption{\captionfor{fig:#1}}\label{fig:#1}\end{figure}}
\newcommand{\papertable}[1]{\begin{table}[htbp]\centering\caption{\captionfor{tab:#1}}\label{tab:#1}\fitted{\input{tables/#1}}\end{table}}
% Of an appendix nothing floats: each stands where it is named.
\newcommand{\appendixfigure}[1]{\par\medskip\noindent\begin{minipage}{\linewidth}\centering\drawn{#1}%
  \captionof{figure}{\captionfor{fig:#1}}\label{fig:#1}\end{minipage}\par\medskip}
\newcommand{\held}[2]{\begin{minipage}{#1}\centering
  \captionof{table}{\captionfor{tab:#2}}\label{tab:#2}\fitted{\input{tables/#2}}\end{minipage}}
\newcommand{\appendixtable}[1]{\sbox{\recantbox}{\small\input{tables/#1}}%
  \ifdim\wd\recantbox>1.4\linewidth\clearpage\noindent\rotatebox{90}{\held{\textheight}{#1}}\clearpage
  \else\par\medskip\noindent\held{\linewidth}{#1}\par\medskip\fi}

\input{captions}

\title{TITLE}
\author{}
\date{}

\begin{document}
\maketitle

";
