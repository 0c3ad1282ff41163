// The address restores the view: `#video=…&search=…&which=Y&sort=Score&order=rising&page=2`.

const DEFAULTS = { participant: "", video: "", search: "", which: "all", sort: "Score", order: "", page: "1" };
const VIEW = { ...DEFAULTS };

// What the address says; null where it names a place on the page, such as #videos.
function view_in_address() {
  const hash = location.hash.slice(1);
  if (!hash.includes("=")) return null;
  const said = new URLSearchParams(hash.replaceAll("+", "%2B"));
  const view = { ...DEFAULTS };
  for (const name of Object.keys(DEFAULTS)) view[name] = said.get(name) ?? DEFAULTS[name];
  return view;
}

// The address of this view with some of it changed.
function address(changes) {
  const view = { ...VIEW, ...changes };
  const parts = Object.keys(DEFAULTS)
    .filter((name) => view[name] !== DEFAULTS[name])
    .map((name) => `${name}=${encodeURIComponent(view[name])}`);
  return parts.length ? `#${parts.join("&")}` : "#videos";
}

// The same as a link. It names the document too: a link of a fragment alone would be taken for one
// that skips to a part of the page.
const link_to = (changes) => location.href.split("#")[0] + address(changes);

function replace_address() {
  const now = address({});
  if (now !== location.hash && (now !== "#videos" || view_in_address())) history.replaceState(null, "", now);
}
