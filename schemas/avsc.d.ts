/** A schema imported `with { type: "text" }` is the file's text. */
declare module "*.avsc" {
  const text: string;
  export default text;
}
