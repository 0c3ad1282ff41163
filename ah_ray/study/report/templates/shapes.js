"use strict";
// Elements and drawings. Text only ever becomes text: nothing here makes HTML out of strings.

const SVG = "http://www.w3.org/2000/svg";

function element(made, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value !== null && value !== undefined) made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

const html = (tag, attributes, ...children) =>
  element(document.createElement(tag), attributes, children);
const svg = (tag, attributes, ...children) =>
  element(document.createElementNS(SVG, tag), attributes, children);

// Three decimals, or as many more as keep it on its own side of the threshold.
function score(thousandths) {
  if (thousandths === null) return "–";
  if (Number.isInteger(thousandths)) return (thousandths / 1000).toFixed(3);
  return (thousandths / 1000).toLocaleString("en", { maximumSignificantDigits: 15 });
}

function clock(seconds) {
  if (seconds === null) return "–";
  const whole = Math.floor(seconds + 0.5);
  const rest = String(whole % 60).padStart(2, "0");
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes}:${rest}`;
  return `${Math.floor(minutes / 60)}:${String(minutes % 60).padStart(2, "0")}:${rest}`;
}

// Where each clip is drawn: to its end, or to where the next begins if windows overlap.
function slots(clips) {
  return clips.map((clip, place) => {
    const next = clips[place + 1];
    return [clip.start_s, next ? Math.min(clip.end_s, next.start_s) : clip.end_s];
  });
}

function bars(clips, x, y, base, gap) {
  return slots(clips).map(([start_s, end_s], place) => {
    const clip = clips[place];
    const left = x(start_s);
    const width = Math.max(0.5, x(end_s) - left - gap);
    const words = svg("title", {}, describe(clip));
    if (clip.p === null) return hatched(left, y(1000), width, base - y(1000), words);
    const top = Math.min(y(clip.p), base - 1);
    const kind = clip.answer === "Y" ? "mark-yes" : "mark-no";
    return svg("rect", { class: kind, x: left, y: top, width, height: base - top }, words);
  });
}

// A clip without a score has no height either: a box of full height with slanted lines.
function hatched(left, top, width, height, ...inside) {
  const [right, base, lines] = [left + width, top + height, []];
  for (let foot = left - height + 3; foot < right; foot += 6) {
    const [from, to] = [Math.max(foot, left), Math.min(foot + height, right)];
    if (to > from) lines.push(`M${from} ${base - from + foot}L${to} ${base - to + foot}`);
  }
  const box = svg("rect", { x: left, y: top, width, height });
  return svg("g", { class: "lost" }, ...inside, box, svg("path", { d: lines.join("") }));
}

function describe(clip) {
  const when = `${clock(clip.start_s)} to ${clock(clip.end_s)}`;
  if (clip.p === null) return `${when}: not scored (${clip.kind || "unknown"})`;
  return `${when}: ${score(clip.p)}, ${clip.answer === "Y" ? "Yes" : "No"}`;
}

const SHORTEST_S = 30; // the shortest axis, so that one clip does not fill the drawing

function length_s(video) {
  const ends = [video.duration_s || 0, ...video.clips().map((clip) => clip.end_s)];
  return Math.max(...video.segments.map((segment) => segment[1]), ...ends, 0);
}

// A timeline as wide as a cell; the table has the same in words.
function strip(video, threshold) {
  const all_s = length_s(video);
  const x = (seconds) => (200 * seconds) / Math.max(all_s, SHORTEST_S);
  const y = (thousandths) => 21 - (20 * thousandths) / 1000;
  const shapes = [svg("line", { class: "axis", x1: 0, x2: x(all_s), y1: 21, y2: 21 })];
  shapes.push(...bars(video.clips(), x, y, 21, all_s > 400 ? 0 : 0.8));
  if (threshold !== null) {
    const at = y(1000 * threshold);
    shapes.push(svg("line", { class: "threshold", x1: 0, x2: x(all_s), y1: at, y2: at, opacity: 0.45 }));
  }
  shapes.push(...marked(video, x, 23, 3));
  return svg("svg", { class: "strip", viewBox: "0 0 200 26", "aria-hidden": "true" }, ...shapes);
}

function marked(video, x, top, height) {
  return video.segments.map(([start_s, end_s]) =>
    svg(
      "rect",
      { class: "mark-marked", x: x(start_s), y: top, width: Math.max(1, x(end_s) - x(start_s)), height },
      svg("title", {}, `marked as ${CONSTRUCT}: ${clock(start_s)} to ${clock(end_s)}`),
    ),
  );
}

// One video's whole timeline, with its axes.
function timeline(video, threshold, yes_from) {
  const width = Math.min(900, Math.max(320, innerWidth - 90)); // so that text keeps its size
  const [top, base, left] = [14, 190, 30];
  const beside = [yes_from, `marked ${CONSTRUCT}`, ...lane_names()]; // these words need room
  const right = 16 + 6.8 * Math.max(...beside.map((words) => words.length));
  const all_s = length_s(video);
  const x = (seconds) => left + ((width - left - right) * seconds) / Math.max(all_s, SHORTEST_S);
  const end = x(all_s);
  const y = (thousandths) => base - ((base - top) * thousandths) / 1000;
  const shapes = [];
  for (const [thousandths, words] of [[0, "0"], [500, "0.5"], [1000, "1"]]) {
    const at = y(thousandths);
    shapes.push(svg("line", { class: "grid", x1: left, x2: end, y1: at, y2: at }));
    shapes.push(svg("text", { x: left - 8, y: at + 4, "text-anchor": "end" }, words));
  }
  shapes.push(...bars(video.clips(), x, y, base, all_s > 1800 ? 0 : 1.5));
  shapes.push(svg("line", { class: "axis", x1: left, x2: end, y1: base, y2: base }));
  const step_s = tick_s(Math.max(all_s, SHORTEST_S), width / 80);
  for (let at_s = 0; at_s <= all_s; at_s += step_s) {
    const ends = { x: x(at_s), y: base + 18, "text-anchor": "middle" };
    shapes.push(svg("text", ends, clock(at_s)));
  }
  if (threshold !== null) {
    const at = y(1000 * threshold);
    shapes.push(svg("line", { class: "threshold", x1: left, x2: end, y1: at, y2: at }));
    shapes.push(svg("text", { x: end + 8, y: at + 4 }, yes_from));
  }
  if (video.segments.length) {
    shapes.push(...marked(video, x, base + 28, 9));
    shapes.push(svg("text", { x: end + 8, y: base + 37 }, `marked ${CONSTRUCT}`));
  }
  const foot = base + (video.segments.length ? 46 : 28);
  shapes.push(...lane_shapes(video, x, foot, end));
  const height = foot + lane_height(video);
  const words = `Clips of this video over time. ${in_words(video)} The table below has each clip.`;
  const attributes = { class: "chart", viewBox: `0 0 ${width} ${height}`, role: "img" };
  return svg("svg", { ...attributes, "aria-label": words }, ...shapes);
}

function tick_s(all_s, at_most) {
  const steps = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200];
  return steps.find((step) => all_s / step <= at_most) || 14400;
}

function in_words(video) {
  const clips = video.clips();
  const scored = clips.filter((clip) => clip.p !== null);
  if (!scored.length) return "No clip was scored.";
  const yes = scored.filter((clip) => clip.answer === "Y").length;
  const most = video.surest();
  return `${yes} of ${clips.length} clips are a Yes; the highest is ${score(most.p)} at ${clock(most.start_s)}.`;
}
