// Package doctest runs the blocks of our documents as a reader would paste them:
// in order, in terminals that keep their variables, and in a browser.
//
// It owns the processes that it starts and ends them with the test. It never
// changes the working tree: everything happens in a copy. It is for tests only.
//
// A block says in its info string, behind the language, what a reader learns from
// the text around it:
//
//	```sh terminal=2      run in the terminal of that name; default: 1
//	```sh wait=8080       the block keeps running; it is done once the port answers
//	```text               the block before it printed these lines; … stands for any text
//	```text from=browser  the browser's console has these lines
//	```js browser         run in a page of another origin
//	```go file=main.go    save as this file, in the folder of the terminal
//	```yaml skip=reason   do not run, for this reason
package doctest
