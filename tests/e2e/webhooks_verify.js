// Each line of standard input: {"secret", "headers", "body"}, checked as a receiver would.
const { Webhook } = require("standardwebhooks");
const lines = require("fs").readFileSync(0, "utf8").split("\n").filter(Boolean);
for (const line of lines) {
  const { secret, headers, body } = JSON.parse(line);
  const event = new Webhook(secret).verify(body, headers); // throws
  if (event.id !== headers["webhook-id"]) throw new Error("ids differ");
  let taken = false;
  try {
    new Webhook(secret).verify(body.replace("specversion", "Specversion"), headers);
    taken = true;
  } catch (e) {}
  if (taken) throw new Error("a forged body was taken");
}
console.log(lines.length);
