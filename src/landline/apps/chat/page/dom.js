/**
 * Makes elements, always from text: nothing that somebody said is ever read as markup.
 */

/**
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag
 * @param {Record<string, any>} [given] properties; `class`, `aria-…` and `data-…` are attributes, functions listen
 * @param {...(Node | string | null | undefined)} children
 * @returns {HTMLElementTagNameMap[T]}
 */
export function make(tag, given = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(given)) {
    if (value === undefined || value === null) continue;
    if (typeof value === "function") element.addEventListener(name.replace(/^on/, ""), value);
    else if (name === "class" || name === "role" || name.includes("-")) element.setAttribute(name, value);
    else /** @type {any} */ (element)[name] = value;
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

/** @param {string} id @returns {any} */
export function byId(id) {
  const element = document.getElementById(id);
  if (!element) throw new Error(`the page has no ${id}`);
  return element;
}

/** Somebody else's name or words, apart from what stands around them. @param {string} text @param {string} [className] */
export function apart(text, className) {
  return make("bdi", { class: className }, text);
}

/** Set text only where it differs: a screen reader hears of every change. @param {Node} node @param {string} text */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/**
 * Make the children of an element those of a list, each made anew only when its sign changes. The keyboard stays where it was.
 *
 * @template {{ key: string, sign: string }} T
 * @param {Element} parent
 * @param {T[]} rows
 * @param {(row: T) => Element} draw
 * @param {Map<string, { sign: string, node: Element }>} drawn what was drawn the last time; changed here
 */
export function reconcile(parent, rows, draw, drawn) {
  const keys = new Set(rows.map((row) => row.key));
  const held = parent.contains(document.activeElement) ? document.activeElement : null;
  const [holder] = held ? ([...drawn].find(([, { node }]) => node.contains(held)) ?? []) : [];
  const place = holder === undefined ? -1 : focusable(drawn, holder).indexOf(/** @type {HTMLElement} */ (held));
  for (const [key, { node }] of drawn) {
    if (keys.has(key)) continue;
    node.remove();
    drawn.delete(key);
  }
  let at = parent.firstElementChild;
  for (const row of rows) {
    const known = drawn.get(row.key);
    let node = known?.node;
    if (!node || known?.sign !== row.sign) {
      const fresh = draw(row);
      if (node === at && at) at = at.nextElementSibling;
      node?.replaceWith(fresh);
      if (!node) parent.insertBefore(fresh, at);
      else if (fresh.nextElementSibling !== at) parent.insertBefore(fresh, at);
      drawn.set(row.key, { sign: row.sign, node: fresh });
    } else if (node === at) at = node.nextElementSibling;
    else parent.insertBefore(node, at);
  }
  if (holder !== undefined && document.activeElement !== held) focusable(drawn, holder)[place]?.focus({ preventScroll: true });
}

/** What can have the keyboard in a row. @param {Map<string, { node: Element }>} drawn @param {string} key @returns {HTMLElement[]} */
function focusable(drawn, key) {
  return [.../** @type {any} */ (drawn.get(key)?.node.querySelectorAll("a, button") ?? [])];
}
