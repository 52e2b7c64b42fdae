module tinymq/pkg/go

go 1.24
