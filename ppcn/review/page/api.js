// What the page asks of the server, and nothing else.

let run = "";

async function ask(path, options) {
  let response;
  try {
    response = await fetch(path, options);
  } catch {
    throw new Error("the server does not answer; is the command still running?");
  }
  const values = await response.json().catch(() => ({ error: `error ${response.status}` }));
  if (!response.ok) throw Object.assign(new Error(values.error), { status: response.status });
  return values;
}

const send = (path, values) =>
  ask(path, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(values),
  });

export async function overview() {
  const values = await ask("/api/pairs");
  run = values.run;
  return values;
}

export const details = (index) => ask(`/api/pairs/${index}`);
export const unchanged = (index) => ask(`/api/pairs/${index}/unchanged`);
export const windows = (index, trial) => ask(`/api/pairs/${index}/windows?trial=${trial}`);
export const align = (index, points) => send(`/api/pairs/${index}/trial`, { points });
export const decide = (index, verdict, points) =>
  send(`/api/pairs/${index}/decision`, { verdict, points });

export const pictureAddress = (index, layer, trial) =>
  `/api/pairs/${index}/pictures/${layer}?trial=${trial}&run=${run}`;
export const photoAddress = (index, camera, whole) =>
  `/api/pairs/${index}/photos/${camera}?whole=${whole}&run=${run}`;

// An image that is ready to be shown; where there is none, the server's sentence why not.
export async function loadImage(address, priority = "auto") {
  const image = new Image();
  image.draggable = false;
  image.alt = "";
  image.fetchPriority = priority;
  image.src = address;
  try {
    await image.decode();
  } catch {
    await ask(address);
    throw new Error("the picture cannot be shown");
  }
  return image;
}
