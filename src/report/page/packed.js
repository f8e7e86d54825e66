/* Packed text (raw deflate in base64) as it was; a browser that cannot open it rejects. */
const unpacked = new Map();
const unpack = (script) => {
  if (!unpacked.has(script)) {
    unpacked.set(script, (async () => {
      const bytes = Uint8Array.from(atob(script.textContent), (digit) => digit.charCodeAt(0));
      const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
      return new Response(stream).text();
    })());
  }
  return unpacked.get(script);
};
