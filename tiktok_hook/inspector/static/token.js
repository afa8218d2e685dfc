// The inspector's token. It arrives in the address's fragment, which browsers never send, and is
// kept in sessionStorage, whose origin includes the port. Cookies ignore ports, so none is set.

const KEY = "token";
const BEFORE = "token-before"; // what a token replaces that no request has been accepted with yet
const REJECTED = "token-rejected"; // set while the last token of this tab is known to be wrong

// Tabs of one origin share the token, so that a second tab needs no form.
const channel = new BroadcastChannel("tiktok-hook-token");

const fromText = (text) => /(?:^|[#&?])token=([\w-]+)/.exec(text)?.[1] ?? null;

export const storedToken = () => sessionStorage.getItem(KEY);

// Stores a token for this tab. Any site can open an address with a token of its own, so the one
// before is kept, and other tabs get the new one, only when a request has been accepted with it.
export function storeToken(token) {
  const before = storedToken();
  if (before !== null && before !== token && sessionStorage.getItem(BEFORE) === null) {
    sessionStorage.setItem(BEFORE, before);
  }
  sessionStorage.setItem(KEY, token);
  sessionStorage.removeItem(REJECTED);
}

// A request was accepted with the stored token.
export function confirmToken() {
  sessionStorage.removeItem(BEFORE);
  const token = storedToken();
  if (token !== null) channel.postMessage({ token });
}

// Removes a token that was rejected; true if the one before it is in its place again.
export function forgetToken() {
  const before = sessionStorage.getItem(BEFORE);
  sessionStorage.removeItem(BEFORE);
  if (before !== null) {
    sessionStorage.setItem(KEY, before);
    return true;
  }
  if (storedToken() !== null) sessionStorage.setItem(REJECTED, "1");
  sessionStorage.removeItem(KEY);
  return false;
}

// Whether the tab had a token that was rejected, also before a reload.
export const wasRejected = () => sessionStorage.getItem(REJECTED) !== null;

// Moves a token from the address to sessionStorage, and takes the fragment out of the address.
export function takeTokenFromAddress() {
  const token = fromText(location.hash);
  if (token === null) return false;
  history.replaceState(history.state, "", location.pathname + location.search);
  storeToken(token);
  return true;
}

// Extracts the token from user input: the token itself, or the address that tiktok-hook printed.
export const tokenFromInput = (text) => fromText(text.trim()) ?? text.trim();

export const authorization = () => {
  const token = storedToken();
  return token === null ? {} : { Authorization: `Bearer ${token}` };
};

const ANSWER_MS = 300;

// Asks the other open tabs for their token; null when none answers in time.
export function tokenFromOtherTabs() {
  return new Promise((resolve) => {
    const stop = setTimeout(() => resolve(null), ANSWER_MS);
    channel.addEventListener("message", (event) => {
      if (!event.data.token) return;
      clearTimeout(stop);
      resolve(event.data.token);
    });
    channel.postMessage({ wanted: true });
  });
}

// Answers other tabs, and calls `changed` when one of them was opened with another token.
export function shareToken(changed) {
  channel.addEventListener("message", (event) => {
    const own = storedToken();
    if (event.data.wanted && own !== null) channel.postMessage({ token: own });
    else if (event.data.token && event.data.token !== own) {
      sessionStorage.setItem(KEY, event.data.token);
      sessionStorage.removeItem(REJECTED);
      changed();
    }
  });
}
