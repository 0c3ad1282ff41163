// A recording, played on the page from the beginning of a clip to its end.

const PLAYABLE = /^(file|https?):/;
const PLAYER = html("video", { id: "player", controls: "", preload: "none", playsinline: "", hidden: "" });
const PLAYER_NEWS = html("p", { id: "player-news", role: "status", class: "quiet" });
let stop_at_s = null;

function play_clip(video, clip) {
  const when = `${clock(clip.start_s)} to ${clock(clip.end_s)}`;
  PLAYER.hidden = false;
  PLAYER.setAttribute("aria-label", `Recording of video ${video.id}`);
  if (PLAYER.getAttribute("src") !== video.url) PLAYER.setAttribute("src", video.url);
  stop_at_s = null;
  PLAYER_NEWS.textContent = `Playing ${when}.`;
  const begin = () => {
    PLAYER.currentTime = clip.start_s;
    stop_at_s = clip.end_s;
    PLAYER.play().catch(() => {}); // an error has its own event
  };
  if (PLAYER.readyState >= HTMLMediaElement.HAVE_METADATA) begin();
  else PLAYER.addEventListener("loadedmetadata", begin, { once: true });
  if (PLAYER.readyState < HTMLMediaElement.HAVE_METADATA) PLAYER.load();
  PLAYER.scrollIntoView({ block: "nearest" });
}

function stop_player() {
  stop_at_s = null;
  PLAYER.pause();
  PLAYER.removeAttribute("src");
  PLAYER.hidden = true;
  PLAYER_NEWS.textContent = "";
}

PLAYER.addEventListener("timeupdate", () => {
  if (stop_at_s === null || PLAYER.currentTime < stop_at_s) return;
  stop_at_s = null; // played once; from here on the reader's own controls decide
  PLAYER.pause();
  PLAYER_NEWS.textContent = "The clip has ended.";
});
PLAYER.addEventListener("error", () => {
  if (!PLAYER.hasAttribute("src")) return;
  PLAYER_NEWS.textContent = "This browser cannot play the recording here. Open it by its link above.";
});

const can_play = (video) => video.url !== null && PLAYABLE.test(video.url);
