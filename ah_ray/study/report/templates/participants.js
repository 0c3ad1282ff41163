// Participants: a table of the cohort, and a page for each with all visits on an axis of time.

const PERSON_SHEET = by_id("participant");
const percent = (share) => (share === null ? "–" : `${Math.round(100 * share)}%`);
const mean_score = (p) => (p === null ? "–" : (p / 1000).toFixed(3));
const HAS_VISITS = PARTICIPANTS.some((one) => one.visits.length);

const PERSON_COLUMNS = [
  {
    name: "Participant",
    key: (one) => one.place,
    value: (one) => one.id,
    csv: "participant",
    cells: (one) => [html("a", { href: link_to({ participant: one.id, video: "" }) }, one.id)],
  },
  HAS_VISITS ? { name: "Visits", csv: "n_visits", key: (one) => one.visits.length, number: true, falling: true, value: (one) => one.visits.length, cells: (one) => [one.visits.length] } : null,
  { name: "Videos", csv: "n_videos", key: (one) => one.videos.length, number: true, falling: true, value: (one) => one.videos.length, cells: (one) => [one.videos.length] },
  { name: "Not scored", csv: "n_not_scored", key: (one) => one.videos.length - one.n_scored, number: true, falling: true, minor: true, value: (one) => one.videos.length - one.n_scored, cells: (one) => [one.videos.length - one.n_scored] },
  { name: "Yes", csv: "n_yes", key: (one) => one.n_yes, number: true, falling: true, value: (one) => one.n_yes, cells: (one) => [`${one.n_yes} of ${one.n_scored}`] },
  { name: "Share of Yes", csv: "share_yes", key: (one) => one.share, number: true, falling: true, minor: true, value: (one) => one.share, cells: (one) => [percent(one.share)] },
  { name: "Mean score", csv: "mean_p_ah", key: (one) => one.mean, number: true, falling: true, value: (one) => (one.mean === null ? null : one.mean / 1000), cells: (one) => [mean_score(one.mean)] },
  { name: "Highest", csv: "highest_p_ah", key: (one) => one.highest, number: true, falling: true, minor: true, value: (one) => (one.highest === null ? null : one.highest / 1000), cells: (one) => [score(one.highest)] },
  { name: "Over time", cells: (one) => [course_strip(one)] },
].filter(Boolean);

const PERSON_TABLE = PARTICIPANTS.length
  ? grid({
      prefix: "participant-",
      section: "participants",
      items: PARTICIPANTS,
      columns: PERSON_COLUMNS,
      noun: "participant",
      rows: 20,
      link: (one) => address({ participant: one.id, video: "" }),
      changed: () => {},
      shown: () => {},
    })
  : null;

if (PERSON_TABLE) {
  PARTICIPANTS.forEach((one, place) => {
    one.place = place;
  });
  PERSON_TABLE.set(PARTICIPANTS, "Participant", false, 0);
  const columns = PERSON_COLUMNS.filter((column) => column.value);
  by_id("participant-save").addEventListener("click", () =>
    save_csv("participants.csv", csv_text(columns, PERSON_TABLE.state.found)),
  );
}

function open_participant(one) {
  by_id("participant-inside").replaceChildren(...participant_sheet(one).filter(Boolean));
  if (!PERSON_SHEET.open) PERSON_SHEET.showModal();
  PERSON_SHEET.scrollTop = 0;
  by_id("participant-title").focus();
}

function participant_sheet(one) {
  const order = PERSON_TABLE.state.found;
  const at = order.indexOf(one);
  const to = (place) => (at >= 0 && order[place] ? address({ participant: order[place].id, video: "" }) : null);
  const visits = one.visits.length ? ` in ${counted(one.visits.length, "visit")}` : "";
  const words = one.n_scored
    ? `${one.n_yes} of ${counted(one.n_scored, "scored video")} ${one.n_yes === 1 ? "is" : "are"} a Yes; the mean score is ${mean_score(one.mean)}.`
    : "No video was scored.";
  return [
    bar(() => PERSON_SHEET.close(), [to(at - 1), to(at + 1)], "participant", true),
    print_head(),
    html("h2", { id: "participant-title", tabindex: "-1" }, `Participant ${one.id}`),
    html("p", { class: "lead" }, `${counted(one.videos.length, "video")}${visits}. ${words}`),
    course(one),
    course_legend(one),
    html("p", { class: "quiet" }, AXIS_WORDS[DATA.axis.kind]),
    visits_table(one),
  ];
}

const counted = (n, noun) => `${n.toLocaleString("en")} ${noun}${n === 1 ? "" : "s"}`;

const AXIS_WORDS = {
  date: "Visits lie at their dates. A change of the score between visits is no finding by itself: scores also depend on the question and on the length of the answer.",
  number: "Visits lie at their numbers, not at their dates. A change of the score between visits is no finding by itself: scores also depend on the question and on the length of the answer.",
  order: "Visits are in the order of their names; their distance says nothing. A change of the score between visits is no finding by itself.",
  file: "No visit is known: videos lie at the days on which their files were last changed, which need not be those of the recordings.",
};

const day_words = (at) => new Date(at * 86_400_000).toISOString().slice(0, 10);
const dated = () => DATA.axis.kind === "date" || DATA.axis.kind === "file";

// Videos of one place in time stand side by side; those without a place follow, one step behind.
function moments(one) {
  const places = [...new Set(one.videos.map((video) => video.at))].filter((at) => at !== null);
  const unplaced = one.videos.some((video) => video.at === null);
  const step = places.length > 1 ? Math.min(...places.slice(1).map((at, n) => at - places[n])) : 1;
  const beyond = places.length ? places[places.length - 1] + Math.max(step, (places[places.length - 1] - places[0]) / 8) : 0;
  const all = places.map((at) => ({ at, x: at, videos: one.videos.filter((video) => video.at === at) }));
  if (unplaced) all.push({ at: null, x: beyond, videos: one.videos.filter((video) => video.at === null) });
  return all;
}

const moment_name = (moment) => {
  if (moment.at === null) return "unknown";
  const visit = moment.videos[0].visit;
  return visit !== null && DATA.axis.kind !== "date" ? visit : day_words(moment.at);
};

// Visits that others have and this participant lacks, and dates that lie far apart.
function gaps(one) {
  const places = moments(one).filter((moment) => moment.at !== null).map((moment) => moment.at);
  const between = places.slice(1).map((at, n) => [places[n], at]);
  if (dated()) {
    const sizes = between.map(([a, b]) => b - a).sort((a, b) => a - b);
    const usual = sizes[Math.floor((sizes.length - 1) / 2)];
    return between
      .filter(([a, b]) => sizes.length > 1 && b - a > Math.max(2 * usual, 1))
      .map(([a, b]) => ({ from: a, to: b, words: `${counted(Math.round(b - a), "day")} without a video` }));
  }
  return between
    .map(([a, b]) => ({ from: a, to: b, missing: missing_between(a, b) }))
    .filter((gap) => gap.missing.length)
    .map((gap) => ({ ...gap, words: `no visit ${gap.missing.length > 3 ? `${gap.missing[0]} to ${gap.missing[gap.missing.length - 1]}` : gap.missing.join(", ")}` }));
}

function missing_between(a, b) {
  if (DATA.axis.kind === "number") {
    return Array.from({ length: Math.min(1000, Math.max(0, Math.ceil(b) - Math.floor(a) - 1)) }, (_, n) => Math.floor(a) + 1 + n);
  }
  return Object.entries(DATA.axis.visits).filter(([, at]) => at > a && at < b).map(([name]) => name);
}

// All visits: each video a column with its clips as dots and its own score as a line.
function course(one) {
  const width = Math.min(900, Math.max(320, innerWidth - 90));
  const [top, base, left, right] = [26, 216, 30, 16];
  const all = moments(one);
  const most = Math.max(...all.map((moment) => moment.videos.length));
  const half = Math.min(26, (most * 11) / 2 + 4);
  const [first, last] = [all[0].x, all[all.length - 1].x];
  const x = (at) => (first === last ? (left + width - right) / 2 : left + half + ((width - left - right - 2 * half) * (at - first)) / (last - first));
  const y = (thousandths) => base - ((base - top) * thousandths) / 1000;
  const shapes = [];
  for (const [thousandths, words] of [[0, "0"], [500, "0.5"], [1000, "1"]]) {
    shapes.push(svg("line", { class: "grid", x1: left, x2: width - right, y1: y(thousandths), y2: y(thousandths) }));
    shapes.push(svg("text", { x: left - 8, y: y(thousandths) + 4, "text-anchor": "end" }, words));
  }
  for (const gap of gaps(one)) {
    const [from, to] = [x(gap.from) + half, x(gap.to) - half];
    if (to - from < 4) continue;
    shapes.push(svg("rect", { class: "gap", x: from, y: top, width: to - from, height: base - top }, svg("title", {}, gap.words)));
    if (to - from > 6.2 * gap.words.length) shapes.push(svg("text", { x: (from + to) / 2, y: top + 14, "text-anchor": "middle" }, gap.words));
  }
  const at = y(1000 * DATA.threshold);
  shapes.push(svg("line", { class: "threshold", x1: left, x2: width - right, y1: at, y2: at }));
  shapes.push(svg("line", { class: "axis", x1: left, x2: width - right, y1: base, y2: base }));
  let free = -Infinity;
  for (const moment of all) {
    const [centre, n] = [x(moment.x), moment.videos.length];
    const wide = Math.min(11, (2 * half - 8) / n);
    moment.videos.forEach((video, place) => shapes.push(...column(video, centre + (place - (n - 1) / 2) * wide, wide, y, top, base)));
    const words = moment_name(moment);
    const reach = 3.3 * words.length;
    if (centre - reach > free) {
      const anchor = centre + reach > width ? "end" : "middle";
      shapes.push(svg("text", { x: anchor === "end" ? width - 2 : centre, y: base + 18, "text-anchor": anchor }, words));
      free = centre + reach + 8;
    }
  }
  const attributes = { class: "chart", viewBox: `0 0 ${width} ${base + 28}`, role: "img" };
  return svg("svg", { ...attributes, "aria-label": `Scores of this participant's videos over time. The table below has each video.` }, ...shapes);
}

function column(video, centre, wide, y, top, base) {
  const reach = Math.max(1.5, wide / 2 - 1);
  const title = svg("title", {}, `${video.id}: ${video.p === null ? "not scored" : `${score(video.p)}, ${ANSWERS[video.answer]}`}`);
  if (video.p === null) return [hatched(centre - reach, top, 2 * reach, base - top, title)];
  const clips = video.clips().filter((clip) => clip.p !== null);
  const dots = clips.map((clip) => svg("circle", { class: "clip-dot", cx: centre, cy: y(clip.p), r: 1.8 }));
  const kind = video.answer === "Y" ? "verdict mark-yes" : "verdict mark-no";
  return [...dots, svg("rect", { class: kind, x: centre - reach, y: y(video.p) - 2, width: 2 * reach, height: 4 }, title)];
}

function course_legend(one) {
  return html(
    "p",
    { class: "legend quiet" },
    legend_entry("mark-yes", "video: Yes"),
    legend_entry("mark-no", "video: No"),
    html("span", {}, svg("svg", { viewBox: "0 0 10 10", "aria-hidden": "true" }, svg("circle", { class: "clip-dot", cx: 5, cy: 5, r: 2.5 })), " a clip"),
    one.videos.some((video) => video.p === null) ? legend_entry("lost", "not scored") : null,
    gaps(one).length ? legend_entry("gap", "gap") : null,
  );
}

// A participant's verdicts in a cell of the table.
function course_strip(one) {
  const wide = Math.min(14, 200 / one.videos.length);
  const shapes = [svg("line", { class: "axis", x1: 0, x2: 200, y1: 21, y2: 21 })];
  one.videos.forEach((video, place) => {
    const [left, width] = [place * wide, Math.max(0.5, wide - 1)];
    if (video.p === null) shapes.push(hatched(left, 1, width, 20));
    else {
      const height = Math.max(1, video.p / 50);
      shapes.push(svg("rect", { class: video.answer === "Y" ? "mark-yes" : "mark-no", x: left, y: 21 - height, width, height }));
    }
  });
  return svg("svg", { class: "strip", viewBox: "0 0 200 26", "aria-hidden": "true" }, ...shapes);
}

function visits_table(one) {
  const has = (name) => one.videos.some((video) => video[name] !== null);
  const before = new Map(gaps(one).map((gap) => [gap.to, gap.words]));
  const heading = (words, kind) => html("th", { scope: "col", class: kind || null }, words);
  const head = html(
    "tr",
    {},
    heading("Video"),
    heading(DATA.axis.kind === "file" ? "File of" : "Visit"),
    has("question") ? heading("Question", "minor") : null,
    heading("Answer"),
    has("label") ? heading("Label") : null,
    heading("Score", "number"),
    heading("Timeline"),
  );
  const width = 5 + has("question") + has("label");
  const rows = moments(one).flatMap((moment) => [
    ...(before.has(moment.at) ? [html("tr", { class: "gap-row" }, html("td", { colspan: width }, `Gap: ${before.get(moment.at)}`))] : []),
    ...moment.videos.map((video) => visit_row(one, video, moment, has)),
  ]);
  const caption = html("caption", { class: "unseen" }, "Videos of this participant, in the order of time");
  return scroll_region("Videos of this participant", html("table", {}, caption, html("thead", {}, head), html("tbody", { class: "ids" }, ...rows)));
}

function visit_row(one, video, moment, has) {
  const answer = video.answer ? ANSWERS[video.answer] : `not scored: ${video.kind || "unknown"}`;
  const link = html("a", { href: link_to({ participant: one.id, video: video.id }) }, video.id);
  return html(
    "tr",
    {},
    html("th", { scope: "row" }, link),
    html("td", { class: "nowrap" }, moment.at === null && video.visit === null ? "–" : moment_name(moment)),
    has("question") ? html("td", { class: "minor" }, video.question ?? "–") : null,
    html("td", { class: video.answer === "Y" ? "yes" : null }, answer),
    has("label") ? html("td", { class: "nowrap" }, video.label === null ? "–" : LABELS[video.label]) : null,
    html("td", { class: "number" }, score(video.p)),
    html("td", {}, strip(video, DATA.clip_threshold), html("span", { class: "unseen" }, in_words(video))),
  );
}

PERSON_SHEET.addEventListener("close", () => {
  if (PERSON_SHEET.open) return; // opened again since
  const closed = VIEW.participant;
  VIEW.participant = "";
  replace_address();
  focus_link(by_id("participant-rows"), closed);
});
PERSON_SHEET.addEventListener("click", (event) => {
  if (event.target === PERSON_SHEET) PERSON_SHEET.close(); // beside it
});
